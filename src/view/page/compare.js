// Two texts line by line: the longest common run of lines stays together.
const mostLines = 600;

function compareLines(a, b) {
    const left = a.split(/\r?\n/).slice(0, mostLines);
    const right = b.split(/\r?\n/).slice(0, mostLines);
    const common = Array.from({length: left.length + 1}, () => new Uint16Array(right.length + 1));
    for (let i = left.length - 1; i >= 0; --i) {
        for (let j = right.length - 1; j >= 0; --j) {
            common[i][j] = left[i] === right[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
        }
    }
    const rows = [];
    let i = 0;
    let j = 0;
    while (i < left.length || j < right.length) {
        if (i < left.length && j < right.length && left[i] === right[j]) {
            rows.push([left[i++], right[j++]]);
            continue;
        }
        const gone = [];
        const come = [];
        while (i < left.length && (j >= right.length || left[i] !== right[j]) && (j >= right.length || common[i + 1][j] >= common[i][j + 1])) {
            gone.push(left[i++]);
        }
        while (j < right.length && (i >= left.length || left[i] !== right[j]) && (i >= left.length || common[i][j + 1] > common[i + 1][j])) {
            come.push(right[j++]);
        }
        pairAlike(gone, come, rows);
    }
    return rows;
}

// Lines that begin alike (the same header) stand beside each other.
function pairAlike(gone, come, rows) {
    const name = line => line.split(/[:=]/, 1)[0].toLowerCase();
    for (const line of gone) {
        const at = come.findIndex(other => name(other) === name(line));
        if (at < 0) {
            rows.push([line, null]);
            continue;
        }
        come.splice(0, at).forEach(other => rows.push([null, other]));
        rows.push([line, come.shift()]);
    }
    come.forEach(other => rows.push([null, other]));
}

function showComparison(titles, texts) {
    const dialog = byId('compare');
    const rows = compareLines(texts[0], texts[1]).map(([left, right]) =>
        element('tr', {class: left === right ? 'same' : 'differs'}, element('td', {}, left ?? ''), element('td', {}, right ?? '')));
    dialog.replaceChildren(
        element('h2', {}, 'Two messages compared'),
        element('table', {}, element('tr', {}, titles.map(title => element('th', {}, title))), rows),
        element('p', {}, element('button', {onclick: () => dialog.close()}, 'Close (Esc)')));
    dialog.showModal();
}
