# Deals sources into batches that are compiled as one file each: prints "<batch> <source>" for each
# source given. Two sources with a name in common in their unnamed namespaces never share a batch, so
# nobody has to think of a neighbour's names.   awk -v most=LINES -f unity.awk SOURCE…

# What a line in the first column of an unnamed namespace declares, "" for none.
function name_of(line) {
    sub(/^template <.*> */, "", line)
    sub(/^\[\[[a-z_]+\]\] */, "", line)
    # What these name means the same to a neighbour.
    if (line ~ /^namespace .* = / || (line ~ /^using / && line !~ / = /)) {
        return ""
    }
    if (match(line, /^(struct|class|enum class|enum|union|using|concept|namespace) [A-Za-z0-9_]+/)) {
        line = substr(line, RSTART, RLENGTH)
        return substr(line, match(line, /[A-Za-z0-9_]+$/))
    }
    sub(/( = |\{|;).*/, "", line)
    sub(/\(.*/, "", line)
    sub(/\[.*/, "", line)
    return match(line, /[ *&][A-Za-z0-9_]+$/) ? substr(line, RSTART + 1) : ""
}
function fits(batch, source, extra,    i) {
    if (lines[batch] > 0 && lines[batch] + extra > most) {
        return 0
    }
    for (i = 1; i <= names[source]; i++) {
        if ((batch, name[source, i]) in taken) {
            return 0
        }
    }
    return 1
}
function deal(source,    batch, i) {
    for (batch = 0; !fits(batch, source, length_of[source]); batch++) {
    }
    lines[batch] += length_of[source]
    for (i = 1; i <= names[source]; i++) {
        taken[batch, name[source, i]] = 1
    }
    print batch, source
}
FNR == 1 {
    order[++sources] = FILENAME
    unnamed = 0
}
{ length_of[FILENAME] = FNR }
/^namespace \{/ { unnamed = 1 }
/^\} *\/\/ namespace$/ { unnamed = 0 }
# A macro has no namespace at all.
/^#define / { name[FILENAME, ++names[FILENAME]] = $2 }
unnamed && /^[A-Za-z[]/ && !/^namespace \{/ {
    found = name_of($0)
    if (found != "") {
        name[FILENAME, ++names[FILENAME]] = found
    }
}
END {
    for (i = 1; i <= sources; i++) {
        deal(order[i])
    }
}
