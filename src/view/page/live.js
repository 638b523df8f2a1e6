// The page of a program that goes on. Over one WebSocket it asks in words ("rows", "call live 7", "leave",
// "search 3 0 alice") and is told in JSON what changed.
const live = {
    socket: null,
    wait: 500,        // ms until it tries again
    rows: new Map(),  // live calls by number
    past: [],         // what was found in the store
    asked: 0,         // number of the latest search
    more: false,      // there is more in the store
    tab: 'live',
    key: '',          // the call that is open: "live 7", "stored 12"
    message: 0,       // to be chosen when it comes
    about: {version: '', store: '', command: ''},
    words: {},        // how it goes
    due: false,
};
const mostRows = 5000;

const send = text => live.socket?.readyState === WebSocket.OPEN && live.socket.send(text);

function connect() {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/live`, 'callwright');
    live.socket = socket;
    socket.addEventListener('open', () => {
        live.wait = 500;
        live.rows.clear();
        document.body.classList.remove('cut', 'locked');
        byId('login').hidden = true;
        send('rows');
        live.key && send(`call ${live.key}`);
        live.tab === 'past' && searchPast();
    });
    socket.addEventListener('message', event => take(JSON.parse(event.data)));
    socket.addEventListener('close', lost);
}

// Whether whoever looks has logged in.
const hasSession = () => fetch('session').then(answer => answer.text()).then(text => text.startsWith('yes'));

async function lost() {
    document.body.classList.add('cut');
    listHead();
    if (await hasSession().catch(() => true) === false) {
        showLogin();
        return;
    }
    live.wait = Math.min(live.wait * 2, 10000);
    setTimeout(connect, live.wait);
}

function showLogin() {
    document.body.classList.add('locked');
    byId('login').hidden = false;
    byId('token').focus();
}

async function logIn(token) {
    const answer = await fetch('login', {method: 'POST', body: token}).catch(() => null);
    byId('login-said').textContent = answer?.status === 204 ? '' : answer?.status === 429 ? 'Too many wrong tokens: wait a moment' : answer ? 'This is not the token' : 'The program does not answer';
    answer?.status === 204 ? connect() : showLogin();
}

// ---- what is told

function liveRow(row) {
    return {...row, number: row.id, text: textOfRow(row)};
}

function take(told) {
    if (told.about) {
        live.about = told.about;
        byId('tabs').hidden = !told.about.store;
        for (const row of live.rows.keys()) {
            live.rows.delete(row);
        }
    }
    for (const row of told.rows ?? []) {
        live.rows.set(row.id, {...liveRow(row), changed: !told.about});
    }
    for (const [number, into] of told.gone ?? []) {
        live.rows.delete(number);
        if (live.key === `live ${number}` && into) {
            live.key = `live ${into}`;
            send(`call ${live.key}`);
        }
    }
    live.words = told.state ?? live.words;
    if (told.trend) {
        takeTrend(told.trend);
    }
    if (told.entry && told.key === live.key) {
        takeEntry(told.entry);
    }
    if (told.missing && told.missing === live.key) {
        say('This call is not kept any more');
        state.open < 0 && showList();
    }
    if (told.found && told.search === live.asked) {
        takeFound(told);
    }
    if ((told.rows || told.gone || told.state) && !live.due) {
        live.due = true;
        requestAnimationFrame(drawLive);
    }
}

function takeEntry(entry) {
    entry.call = entry.call?.[0] ?? null;
    if (state.open < 0 || !ladder.entry || ladder.key !== live.key) {
        ladder.key = live.key;
        byId('charts').hidden = true;
        showEntry(0, entry);
        live.message > 0 && jumpTo(live.message);
        live.message = 0;
        return;
    }
    // It went on: what is chosen stays chosen, what is in sight stays in sight.
    const number = ladder.rows[ladder.chosen]?.number ?? 0;
    const atEnd = ladder.chosen + 1 >= ladder.rows.length;
    const top = byId('ladder').scrollTop;
    ladder.entry = entry;
    byId('heads').replaceChildren(shape('svg', {width: ladderWidth(), height: 58}, ...picture(entry.ladder.heads)));
    byId('heads').style.width = `max(100%, ${ladderWidth()}px)`;
    layOutLadder();
    showEntryHead(entry);
    const at = ladder.rows.findIndex(row => number > 0 && row.number === number);
    byId('ladder').scrollTop = top;
    atEnd ? chooseRow(ladder.rows.length - 1) : chooseRow(Math.max(at, 0), false);
}

// The list as it is now. The call that was chosen stays chosen, and what is in sight stays there.
function drawLive() {
    live.due = false;
    while (live.rows.size > mostRows) {
        live.rows.delete(live.rows.keys().next().value);
    }
    if (state.open >= 0 || live.tab !== 'live') {
        return;
    }
    const holder = byId('list-rows');
    const chosen = list.shown[list.chosen];
    const place = list.chosen;
    list.all = [...live.rows.values()];
    list.all.forEach((row, at) => { row.at = at; });
    arrangeList();
    const now = chosen && (place > 0 || holder.scrollTop > 0) ? list.shown.findIndex(row => row.id === chosen.id) : -1;
    if (now >= 0) {
        list.chosen = now;
        if (holder.scrollTop > 0) {
            holder.scrollTop += (now - place) * listRow;
        }
        drawList();
    }
    listHead();
}

// ---- the past

function takeFound({found, more, before, why}) {
    const rows = found.map(row => ({...liveRow(row), past: true, when: row.start.slice(5, 19).replace('T', ' ')}));
    live.past = before > 0 ? [...live.past, ...rows] : rows;
    live.more = more;
    why && say(why);
    if (live.tab === 'past' && state.open < 0) {
        list.all = live.past;
        list.all.forEach((row, at) => { row.at = at; });
        list.word = '';
        arrangeList();
        listHead();
    }
}

let pastTimer = 0;
function searchPast(before = 0) {
    clearTimeout(pastTimer);
    pastTimer = setTimeout(() => send(`search ${++live.asked} ${before} ${byId('search').value.trim()}`), before ? 0 : 200);
}

function searchList() {
    if (live.tab === 'past') {
        searchPast();
        return;
    }
    list.word = state.word;
    arrangeList();
    listHead();
}

function chooseTab(tab) {
    live.tab = tab;
    for (const button of byId('tabs').children) {
        button.setAttribute('aria-selected', button.dataset.tab === tab);
    }
    byId('search').placeholder = tab === 'past' ? 'Search the past: words, "a phrase", begin* ( / )' : 'Search ( / )';
    list.chosen = 0;
    byId('list-rows').scrollTop = 0;
    if (tab === 'past') {
        list.all = live.past;
        list.word = '';
        arrangeList();
        searchPast();
    }
    showList();
}

// ---- what page.js asks for

function openCall(at) {
    const row = list.all[at];
    live.key = `${row.past ? 'stored' : 'live'} ${row.id}`;
    send(`call ${live.key}`);
}

function leaveCall() {
    live.key = '';
    send('leave');
}

const mayGoBack = () => true;
const placeOf = () => live.key.replace(' ', '-');
// Out of the store, or out of the packets that are written; without both there is none.
const commandOf = call => live.about.store ? `callwright search --store ${shellQuoted(live.about.store)} ${shellQuoted(`"${call.call_ids[0] ?? ''}"`)} --format ladder`
    : live.about.command ? `${live.about.command} --call ${shellQuoted(call.call_ids[0] ?? '')} --format ladder` : '';

function listHead() {
    if (state.open >= 0) {
        return;
    }
    byId('charts').hidden = charts.steps.size === 0 || live.hideCharts;
    drawCharts();
    const {inputs = '', packets = 0, lost = 0, open = 0, problem = ''} = live.words;
    showHead('Callwright', [live.socket?.readyState === WebSocket.OPEN ? '' : chip('bad', '✗ the program does not answer'), chip('', inputs), chip('', `${countText(open)} going on`),
        chip('', `${countText(packets)} packets`), lost > 0 ? chip('bad', `✗ ${countText(lost)} packets lost`) : '', problem ? chip('bad', `✗ ${problem}`) : '',
        live.tab === 'past' ? chip('', `${live.past.length}${live.more ? ' and more' : ''} found`) : '']);
    byId('empty')?.remove();
    if (list.shown.length === 0) {
        byId('list-rows').append(element('div', {id: 'empty'}, live.tab === 'past' ? 'Nothing is found in the store' : list.all.length > 0 ? 'No call fits' : 'Waiting for the first call …'));
    }
}

function goToPlace(place) {
    const call = /^(live|stored)-(\d+)$/.exec(place.get('call') ?? '');
    if (call) {
        live.key = `${call[1]} ${call[2]}`;
        live.message = Number(place.get('message') ?? 0);
        send(`call ${live.key}`);
    }
}

const tabButton = (tab, title) => element('button', {type: 'button', role: 'tab', 'data-tab': tab, 'aria-selected': tab === 'live', onclick: () => chooseTab(tab)}, title);
document.querySelector('.tools').prepend(element('span', {id: 'tabs', role: 'tablist', hidden: ''}, tabButton('live', 'Live'), tabButton('past', 'Past')));
byId('list-rows').addEventListener('scroll', event => {
    const holder = event.target;
    if (live.tab === 'past' && live.more && holder.scrollTop + holder.clientHeight > list.shown.length * listRow - 400) {
        live.more = false;
        searchPast(live.past.at(-1)?.id ?? 0);
    }
});
byId('span').addEventListener('click', () => {
    charts.span = charts.span === 90 ? 360 : 90;
    drawCharts();
});
listKeys.i = () => { live.hideCharts = !live.hideCharts; listHead(); };
listKeys.p = () => live.about.store && chooseTab(live.tab === 'live' ? 'past' : 'live');
keyHelp[1][1].push(['i', 'charts on, off'], ['p', 'live, past']);
byId('login').addEventListener('submit', event => {
    event.preventDefault();
    logIn(byId('token').value.trim());
});
addEventListener('hashchange', () => goToPlace(new URLSearchParams(location.hash.slice(1))));
list.column = 'number';
list.down = false; // the newest first
const began = new URLSearchParams(location.hash.slice(1));
arrangeList();
showList(); // takes the token out of the address
goToPlace(began);
if (began.has('token')) {
    logIn(began.get('token'));
} else {
    hasSession().then(known => known ? connect() : showLogin(), lost);
}
