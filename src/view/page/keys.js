// Keys as sngrep has them, in the list and on the ladder.
const keyHelp = [
    ['Everywhere', [['?', 'F1', 'h', 'these keys'], ['Esc', 'q', 'back'], ['/', 'F3', 'Tab', 'search'], ['↑ ↓', 'j k', 'move'], ['PgUp PgDn', '^B ^F', 'a page'], ['Home End', '^A ^E', 'first, last']]],
    ['List', [['Enter', 'the ladder'], ['F7', 'f', 'filter'], ['<', '>', 'sort by another column'], ['z', 'turn the order']]],
    ['Ladder', [['Enter', 'F6', 'r', 'the message'], ['Space', 'on two messages: compare'], ['F2', 'd', 'SDP only, all'], ['F3', 'm', 'media on, off'], ['D', 'SDP only'], ['M', 'media only'],
        ['F7', 'c', 'colour by leg'], ['t', 'side pane on, off'], ['9', '0', 'its width'], ['T', 'its width as it was'], ['n', 'N', 'next, previous found'], ['g', 'next finding']]],
];

function showHelp() {
    const dialog = byId('help');
    dialog.replaceChildren(...keyHelp.flatMap(([title, keys]) => [element('h2', {}, title),
        element('table', {}, keys.map(line => element('tr', {}, element('td', {}, line.slice(0, -1).flatMap(key => [element('kbd', {}, key), ' '])), element('td', {}, line.at(-1)))))]),
        element('p', {}, element('button', {onclick: () => dialog.close()}, 'Close (Esc)')));
    dialog.showModal();
}

function pageRows() {
    return Math.max(4, Math.floor((byId(state.open < 0 ? 'list-rows' : 'ladder').clientHeight - 60) / (state.open < 0 ? listRow : 34)));
}

const moves = {ArrowDown: () => 1, j: () => 1, ArrowUp: () => -1, k: () => -1, PageDown: pageRows, '^f': pageRows, PageUp: () => -pageRows(), '^b': () => -pageRows(),
    '^d': () => pageRows() >> 1, '^u': () => -(pageRows() >> 1), Home: () => -1e9, '^a': () => -1e9, End: () => 1e9, '^e': () => 1e9};

const listKeys = {
    Enter: () => list.shown[list.chosen] && openCall(list.shown[list.chosen].at),
    f: focusSearch, F7: focusSearch,
    '<': () => sortBeside(-1), '>': () => sortBeside(1),
    z: () => { list.down = !list.down; arrangeList(); },
};

const ladderKeys = {
    Enter: () => togglePane(true), r: () => togglePane(true), F6: () => togglePane(true),
    ' ': markForComparison,
    d: toggleSdp, F2: toggleSdp, D: toggleSdp,
    m: () => toggleKind('media'), F3: () => toggleKind('media'),
    M: () => { ladder.hiddenKinds = ladder.hiddenKinds.has('message') ? new Set() : new Set(['message', 'note', 'connection']); layOutLadder(); },
    c: () => byId('canvas').classList.toggle('by-leg'), F7: () => byId('canvas').classList.toggle('by-leg'),
    t: () => togglePane(byId('side').hidden),
    9: () => widenPane(60), 0: () => widenPane(-60), T: () => { byId('side').style.width = ''; },
    n: () => nextFound(1), N: () => nextFound(-1),
    g: nextFinding,
    ArrowLeft: () => { byId('ladder').scrollLeft -= 80; }, ArrowRight: () => { byId('ladder').scrollLeft += 80; }, l: () => { byId('ladder').scrollLeft += 80; },
};

const commonKeys = {
    '?': showHelp, F1: showHelp, h: showHelp,
    '/': focusSearch, Tab: focusSearch, F3: focusSearch,
    Escape: goBack, q: goBack,
};

function sortBeside(by) {
    const at = listColumns.findIndex(([name]) => name === list.column);
    list.column = listColumns[(at + by + listColumns.length) % listColumns.length][0];
    arrangeList();
}

function toggleKind(kind) {
    ladder.hiddenKinds.has(kind) ? ladder.hiddenKinds.delete(kind) : ladder.hiddenKinds.add(kind);
    layOutLadder();
}

// Only what carries a session description, and back.
function toggleSdp() {
    ladder.sdpOnly = !ladder.sdpOnly;
    layOutLadder();
    chooseRow(ladder.chosen);
}

function togglePane(shown) {
    byId('side').hidden = !shown;
    drawLadder();
    byId('message')?.scrollIntoView({block: 'nearest'});
}

function widenPane(by) {
    const pane = byId('side');
    pane.style.width = Math.min(Math.max(pane.offsetWidth + by, 240), innerWidth - 300) + 'px';
    drawLadder();
}

function nextFinding() {
    const numbersFound = ladder.entry.ladder.findings.flatMap(finding => finding.numbers.slice(0, 1)).sort((a, b) => a - b);
    const here = ladder.rows[ladder.chosen]?.number ?? 0;
    const next = numbersFound.find(number => number > here) ?? numbersFound[0];
    next ? jumpTo(next) : say('No findings');
}

function onKey(event) {
    if (document.querySelector('dialog[open]') || event.altKey || event.metaKey) {
        return;
    }
    const name = (event.ctrlKey ? '^' : '') + event.key;
    if (document.activeElement === byId('search')) {
        if (event.key === 'Escape' || event.key === 'Enter') {
            byId(state.open < 0 ? 'list-rows' : 'ladder').focus();
            event.preventDefault();
        }
        return;
    }
    if (document.activeElement instanceof HTMLButtonElement && (event.key === 'Enter' || event.key === ' ' || event.key === 'Tab') ||
        event.key === 'Tab' && event.shiftKey) {
        return;
    }
    const own = state.open < 0 ? listKeys : ladderKeys;
    const action = own[name] ?? commonKeys[name];
    if (moves[name]) {
        const by = moves[name]();
        state.open < 0 ? chooseCall(list.chosen + by) : Math.abs(by) === 1 ? stepRow(by) : chooseRow(ladder.chosen + by);
    } else if (action) {
        action();
    } else {
        return;
    }
    event.preventDefault();
}
