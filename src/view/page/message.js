// One message in the side pane: coloured, its body unfolded, its connection's certificates.

function mark(text, word) {
    if (!word) {
        return [text];
    }
    const out = [];
    const plain = text.toLowerCase();
    let from = 0;
    for (let at = plain.indexOf(word); at >= 0 && out.length < 400; at = plain.indexOf(word, from)) {
        out.push(text.slice(from, at), element('span', {class: 'hit'}, text.slice(at, at + word.length)));
        from = at + word.length;
    }
    out.push(text.slice(from));
    return out;
}

// What a terminal would obey and what cannot be seen is shown by its picture.
function visible(text) {
    return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, c =>
        c === '\r' ? '' : c < ' ' ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : c === '\u007f' ? '\u2421' : '\ufffd');
}

function headLines(message, word) {
    const lines = message.start === 'part' ? [] : [element('span', {class: 'start'}, mark(visible(message.start), word)), '\n'];
    for (const {name, value} of message.headers) {
        lines.push(...(name === '' ? [element('span', {class: 'odd', title: 'This is no header field'}, mark(visible(value), word))]
            : [element('span', {class: 'field'}, mark(visible(name) + ':', word)), ...mark(visible(value), word)]), '\n');
    }
    return lines;
}

function sdpLines(body, word) {
    return body.split(/\r?\n/).flatMap(line => {
        const known = /^([a-z])=(.*)$/s.exec(line);
        if (!known) {
            return [...mark(visible(line), word), '\n'];
        }
        if (word && line.toLowerCase().includes(word) && !known[2].toLowerCase().includes(word)) {
            return [element('span', {class: 'hit'}, visible(line)), '\n']; // it goes across the "="
        }
        const kind = element('span', {class: 'key', title: sdpWords[known[1]] ?? 'unknown'}, known[1] + '=');
        const rest = mark(visible(known[2]), word);
        return [kind, ...(known[1] === 'm' ? [element('b', {}, rest)] : rest), '\n'];
    });
}

function octetLines(body) {
    const lines = [];
    for (let at = 0; at < Math.min(body.length, 4096); at += 16) {
        const piece = body.slice(at, at + 16);
        const codes = [...piece].map(c => (c.charCodeAt(0) & 255).toString(16).padStart(2, '0')).join(' ');
        lines.push(`${at.toString(16).padStart(4, '0')}  ${codes.padEnd(47)}  ${piece.replace(/[^ -~]/g, '.')}\n`);
    }
    return lines.concat(body.length > 4096 ? [`… ${body.length} octets\n`] : []);
}

function bodyOf(type, body, word, depth = 0) {
    if (body === '') {
        return [];
    }
    const parts = depth < 4 ? partsOf(type, body) : null;
    if (parts) {
        return parts.map((part, index) => {
            const kind = header(part.headers, 'content-type') || 'text/plain';
            return element('details', {open: ''}, element('summary', {}, `Part ${index + 1}: ${visible(kind)}, ${part.body.length} octets`),
                element('pre', {}, headLines(part, word)), bodyOf(kind, part.body, word, depth + 1));
        });
    }
    const binary = /[\u0000-\u0008\u000e-\u001f\u0080-\u009f]/.test(body);
    const lines = binary ? octetLines(body) : /^application\/sdp/i.test(type) || /^v=0\r?\n/.test(body) ? sdpLines(body, word) : mark(visible(body), word);
    return [element('pre', {class: binary || /sdp/i.test(type) ? '' : 'wrap'}, lines)];
}

function certificates(title, chain) {
    return chain.length === 0 ? '' : element('details', {}, element('summary', {}, `${title}: ${chain[0].subject || chain[0].names[0] || 'no name'}`),
        chain.map((c, index) => element('table', {}, [['Subject', c.subject], ['Names', c.names.join(', ')], ['Issuer', c.issuer],
            ['Valid', `${c.from} to ${c.until}`]].map(([what, value]) =>
            element('tr', {}, element('th', {}, index > 0 && what === 'Subject' ? 'Issued by' : what), element('td', {class: 'mono'}, visible(value)))))));
}

function connectionOf(connection) {
    return !connection ? [] : [element('h2', {}, 'Connection'),
        element('div', {class: 'mono'}, connection.line),
        connection.verdict ? element('p', {class: connection.good ? 'good' : 'bad'}, `${connection.good ? '✓' : '✗'} ${visible(connection.verdict)}`) : '',
        certificates('Certificate of the server', connection.server), certificates('Certificate of the client', connection.client)];
}

// `number` counts from 1, as on the ladder.
function messagePane(entry, number, word) {
    const facts = entry.call?.messages[number - 1];
    if (!facts) {
        return [];
    }
    const raw = entry.raw[number - 1];
    const title = `Message ${number} · ${facts.src} → ${facts.dst} · ${facts.transport.toUpperCase()} · frame ${facts.frame}`;
    const pane = [element('h2', {id: 'message'}, title)];
    if (facts.problem) {
        pane.push(element('p', {class: 'bad'}, `✗ ${visible(facts.problem)}`));
    }
    if (!raw) {
        pane.push(element('p', {class: 'dim'}, 'Its bytes are not in this report.'),
            element('pre', {class: 'wrap'}, [facts.method ? `${facts.method} ${facts.uri ?? ''}` : `${facts.status} ${facts.reason}`, facts.cseq, facts.call_id, facts.note ?? '']
                .filter(Boolean).map(line => visible(line) + '\n')));
    } else {
        const message = splitMessage(textOf(raw));
        pane.push(element('pre', {}, headLines(message, word)), ...bodyOf(header(message.headers, 'content-type'), message.body, word));
        pane.push(element('button', {onclick: () => copy(textOf(raw), 'Message')}, 'Copy message'));
    }
    return pane.concat(connectionOf(entry.connections[facts.connection]));
}
