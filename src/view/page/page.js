// The page as a whole: which call is open, what is searched for, what the address remembers.
// report.js and live.js say where calls come from: openCall(at), leaveCall(), searchList(), listHead(),
// mayGoBack(), placeOf(), commandOf(call).
const state = {open: -1, word: ''};

function chip(tone, text) {
    return text ? element('span', {class: tone}, text) : '';
}

function showHead(title, chips) {
    byId('title').textContent = title;
    byId('chips').replaceChildren(...chips.filter(one => one !== ''));
}

function showEntry(at, entry) {
    state.open = at;
    byId('list').hidden = true;
    byId('flow').hidden = byId('side').hidden = false;
    document.querySelector('main').classList.add('with-side');
    showEntryHead(entry);
    openLadder(entry);
    search();
    byId('ladder').focus();
    byId('footer').textContent = `${list.all.length > 1 ? 'Esc list · ' : ''}Enter message · Space compare · / search · d SDP · m media · c legs · g findings · ? keys`;
    chooseRow(ladder.rows.findIndex(row => row.kind === 'message'));
}

function showEntryHead(entry) {
    const shown = entry.ladder;
    const fault = shown.findings.some(finding => finding.tone === 'bad');
    const end = fault && shown.state === 'good' ? 'plain' : shown.state;
    const rest = shown.security ? shown.summary.replace(shown.security, '') : shown.summary;
    showHead(shown.from ? `${shown.call} · ${shown.from} → ${shown.to}` : shown.call,
        [chip(end, sign(end) + shown.end), ...rest.split(' · ').map(words => chip('', words)), chip(shown.safe, shown.security),
            shown.weakest ? chip(shown.safe === 'good' ? '' : shown.safe === 'bad' ? 'bad' : 'slow', 'weakest: ' + shown.weakest) : '',
            ...shown.findings.filter(finding => finding.depth === 0).slice(0, 4).map(finding => chip(finding.tone, `${sign(finding.tone)}${finding.rule} ${finding.title}`))]);
    const legs = entry.call?.legs ?? [];
    byId('legs').replaceChildren(...(legs.length < 2 ? [] : legs.slice(0, 12).map((leg, index) => {
        const box = element('input', {type: 'checkbox', checked: ''});
        box.addEventListener('change', () => {
            box.checked ? ladder.hiddenLegs.delete(index) : ladder.hiddenLegs.add(index);
            layOutLadder();
        });
        return element('label', {title: leg.call_id}, box, ` leg ${index + 1}`);
    })));
    setTools(entry);
}

function showList() {
    state.open = -1;
    leaveCall();
    byId('list').hidden = false;
    byId('flow').hidden = byId('side').hidden = true;
    document.querySelector('main').classList.remove('with-side');
    byId('legs').replaceChildren();
    listHead();
    setTools(null);
    list.word = state.word;
    arrangeList();
    byId('list-rows').focus();
    rememberPlace();
}

function setTools(entry) {
    for (const id of ['copy-filter', 'copy-command', 'copy-mermaid']) {
        byId(id).hidden = !entry || (id !== 'copy-mermaid' && !entry.call) || (id === 'copy-command' && !commandOf(entry.call));
    }
}

function goBack() {
    if (state.open >= 0 && mayGoBack()) {
        showList();
    }
}

function focusSearch() {
    byId('search').focus();
    byId('search').select();
}

// In the list it filters; on the ladder it marks the messages whose text has the word.
function search() {
    state.word = byId('search').value.trim().toLowerCase();
    if (state.open < 0) {
        searchList();
        return;
    }
    const {raw = [], call} = ladder.entry;
    ladder.found = new Set();
    if (state.word !== '') {
        (call?.messages ?? []).forEach((facts, at) => {
            const text = raw[at] ? textOf(raw[at]) : JSON.stringify(facts);
            if (text.toLowerCase().includes(state.word)) {
                ladder.found.add(at + 1);
            }
        });
        say(`${ladder.found.size} messages`);
    }
    drawLadder();
    showSide();
}

function nextFound(by) {
    const places = ladder.rows.map((row, at) => [row.number, at]).filter(([number]) => ladder.found.has(number)).map(([, at]) => at);
    const next = by > 0 ? places.find(at => at > ladder.chosen) ?? places[0] : places.findLast(at => at < ladder.chosen) ?? places.at(-1);
    next === undefined ? say('Nothing found: / searches') : chooseRow(next);
}

const shellQuoted = text => `'${text.replaceAll("'", "'\\''")}'`;
const filterOf = call => call.call_ids.map(id => `sip.Call-ID == "${id.replace(/[\\"]/g, '\\$&')}"`).join(' or ');

// #call=3&message=7 opens that place.
function rememberPlace() {
    const number = ladder.rows[ladder.chosen]?.number;
    const place = state.open < 0 ? '' : `#call=${placeOf()}${number ? `&message=${number}` : ''}`;
    try {
        history.replaceState(null, '', place || location.pathname);
    } catch { // some browsers forbid it to files
    }
}

byId('search').addEventListener('input', search);
byId('list-rows').addEventListener('scroll', drawList);
byId('ladder').addEventListener('scroll', drawLadder);
addEventListener('resize', () => state.open < 0 ? drawList() : drawLadder());
addEventListener('keydown', onKey);
byId('canvas').addEventListener('click', event => {
    const box = event.target.closest('[data-at]');
    if (box) {
        chooseRow(Number(box.dataset.at), false);
        togglePane(true);
    }
});
byId('copy-filter').addEventListener('click', () => copy(filterOf(ladder.entry.call), 'Filter'));
byId('copy-command').addEventListener('click', () => copy(commandOf(ladder.entry.call), 'Command'));
byId('copy-mermaid').addEventListener('click', () => copy(ladder.entry.ladder.mermaid, 'Mermaid'));
byId('help-button').addEventListener('click', showHelp);
