// The list of calls: only the rows in sight exist, so that a hundred thousand stay smooth.
const listRow = 27;
const list = {all: [], shown: [], chosen: 0, word: '', column: 'number', down: true};
const listColumns = [['number', 'Nr'], ['start', 'Time'], ['kind', 'Kind'], ['from', 'From'], ['to', 'To'], ['end', 'End'], ['messages', 'Msgs'], ['security', 'Security'], ['rules', 'Findings'], ['weakest', 'Weakest']];

// Words are looked for everywhere; a Wireshark filter is taken for the text that it names.
function fits(row, word) {
    const named = /==\s*"((?:[^"\\]|\\.)*)"/.exec(word);
    const words = named ? [named[1].toLowerCase()] : word.toLowerCase().split(/\s+/);
    return words.every(one => row.text.includes(one));
}

const textOfRow = row => [row.kind, row.from, row.to, row.end, row.security, row.ids, row.start, ...row.rules.map(rule => rule.join(' '))].join(' ').toLowerCase();

function openList(rows) {
    list.all = rows.map((row, at) => ({...row, at, number: at + 1, text: textOfRow(row)}));
    arrangeList();
}

function arrangeList() {
    const key = list.column;
    list.shown = list.all.filter(row => fits(row, list.word));
    const value = row => key === 'rules' ? row.rules.length : row[key];
    list.shown.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : a.at - b.at) * (list.down ? 1 : -1));
    list.chosen = Math.min(list.chosen, Math.max(list.shown.length - 1, 0));
    byId('list-columns').replaceChildren(...listColumns.map(([name, title]) =>
        element('button', {role: 'columnheader', onclick: () => sortList(name)}, title + (name === key ? (list.down ? ' ▾' : ' ▴') : ''))));
    drawList();
}

function sortList(column) {
    list.down = list.column === column ? !list.down : true;
    list.column = column;
    arrangeList();
}

function sign(tone) {
    return tone === 'good' ? '✓ ' : tone === 'bad' ? '✗ ' : tone === 'slow' ? '! ' : '';
}

function drawList() {
    const holder = byId('list-rows');
    const first = Math.max(0, Math.floor(holder.scrollTop / listRow) - 10);
    const last = Math.min(list.shown.length, Math.ceil((holder.scrollTop + holder.clientHeight) / listRow) + 10);
    const rows = [element('div', {style: `height:${list.shown.length * listRow}px`})];
    for (let at = first; at < last; ++at) {
        const row = list.shown[at];
        const cells = [row.number, row.when ?? row.start.slice(11, 23), row.kind, row.from, row.to, null, row.messages, null, null, row.weakest];
        const line = element('div', {class: 'row line' + (at === list.chosen ? ' chosen' : '') + (row.live ? ' going' : ''), style: `top:${at * listRow}px`, role: 'option', 'aria-selected': at === list.chosen,
            onclick: () => chooseCall(at), ondblclick: () => openCall(row.at)}, cells.map(cell => element('span', {}, String(cell ?? ''))));
        line.children[5].append(element('span', {class: row.state}, sign(row.state) + row.end));
        line.children[7].append(element('span', {class: row.safe, title: row.weakest ?? ''}, row.security));
        line.children[8].append(...row.rules.map(([rule, tone, title]) => element('span', {class: tone, title}, sign(tone) + rule + ' ')));
        rows.push(line);
    }
    holder.replaceChildren(...rows);
    byId('footer').textContent = `${list.shown.length} of ${list.all.length} · Enter opens · / searches · < > sort, z turns the order · ? keys`;
}

function chooseCall(at) {
    list.chosen = Math.min(Math.max(at, 0), Math.max(list.shown.length - 1, 0));
    const holder = byId('list-rows');
    const top = list.chosen * listRow;
    if (top < holder.scrollTop) {
        holder.scrollTop = top;
    } else if (top + listRow > holder.scrollTop + holder.clientHeight) {
        holder.scrollTop = top + listRow - holder.clientHeight;
    }
    drawList();
}
