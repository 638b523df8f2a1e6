// A message taken apart for reading: start line, headers as they were folded, body, parts of the body.

// The bytes: a text, or [hexadecimal] when they are no UTF-8. Octets become characters one by one.
function textOf(raw) {
    return Array.isArray(raw) ? raw[0].replace(/../g, octet => String.fromCharCode(parseInt(octet, 16))) : raw;
}

function splitMessage(text) {
    const end = text.search(/\r?\n\r?\n/);
    const head = end < 0 ? text : text.slice(0, end);
    const body = end < 0 ? '' : text.slice(end).replace(/^\r?\n\r?\n/, '');
    const lines = head.split(/\r?\n/);
    const headers = [];
    for (const line of lines.slice(1)) {
        if (/^[ \t]/.test(line) && headers.length > 0) {
            headers[headers.length - 1].value += '\n' + line;
            continue;
        }
        const colon = line.indexOf(':');
        headers.push(colon < 0 ? {name: '', value: line} : {name: line.slice(0, colon), value: line.slice(colon + 1)});
    }
    return {start: lines[0], headers, body};
}

const compactNames = {c: 'content-type', e: 'content-encoding', i: 'call-id', l: 'content-length', m: 'contact', f: 'from', t: 'to', v: 'via', s: 'subject', k: 'supported'};

function header(headers, wanted) {
    for (const {name, value} of headers) {
        const plain = name.trim().toLowerCase();
        if (plain === wanted || compactNames[plain] === wanted) {
            return value.trim();
        }
    }
    return '';
}

// The parts of a multipart body [RFC 2046 §5.1]; null when it has no boundary.
function partsOf(type, body) {
    const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;]{1,70}))/i.exec(type);
    if (!/^multipart\//i.test(type) || !boundary) {
        return null;
    }
    const mark = '--' + (boundary[1] ?? boundary[2]);
    const parts = [];
    let open = null;
    for (const line of body.split(/(?<=\n)/)) {
        const bare = line.trimEnd();
        if (bare === mark || bare === mark + '--') {
            if (open !== null) {
                parts.push(open.replace(/\r?\n$/, ''));
            }
            open = bare === mark ? '' : null;
        } else if (open !== null) {
            open += line;
        }
        if (parts.length === 64) {
            break;
        }
    }
    // A part without header fields begins with the empty line that ends them.
    return parts.map(part => splitMessage('part\r\n' + part));
}

const sdpWords = {
    v: 'version', o: 'origin: user, session, version, address', s: 'session name', i: 'title', u: 'more about it', e: 'mail', p: 'phone',
    c: 'where media is to be sent', b: 'bandwidth', t: 'time', r: 'repetition', z: 'time zones', k: 'key (obsolete)', a: 'attribute', m: 'a medium: kind, port, profile, formats',
};
