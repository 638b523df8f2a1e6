// The ladder: the program drew each row; here those in sight are put where they belong.
const ladder = {
    entry: null, // what is shown
    rows: [],    // those that are not hidden: {index, top, height, kind, number, leg, text}
    height: 0,
    drawn: new Map(),
    chosen: 0,   // place in rows
    marked: [],  // numbers of messages to compare
    found: new Set(),
    hiddenLegs: new Set(),
    hiddenKinds: new Set(),
    sdpOnly: false,
    layer: null,
};

// At least the room that there is, so that a chosen row reaches across.
function ladderWidth() {
    return Math.max(ladder.entry.ladder.width, byId('ladder').clientWidth);
}

function openLadder(entry) {
    Object.assign(ladder, {entry, chosen: 0, marked: [], found: new Set(), hiddenLegs: new Set(), sdpOnly: false});
    const width = ladderWidth();
    byId('heads').replaceChildren(shape('svg', {width, height: 58}, ...picture(entry.ladder.heads)));
    byId('heads').style.width = `max(100%, ${width}px)`;
    layOutLadder();
    byId('ladder').scrollTop = byId('ladder').scrollLeft = 0;
}

function carriesSdp(number) {
    return /sdp/i.test(ladder.entry.call?.messages[number - 1]?.body_type ?? '');
}

function layOutLadder() {
    const keep = ladder.rows[ladder.chosen]?.index;
    let top = 0;
    ladder.rows = [];
    for (const [index, [height, kind, number, leg, text]] of ladder.entry.ladder.rows.entries()) {
        if (height > 0 && !ladder.hiddenLegs.has(leg) && !ladder.hiddenKinds.has(kind) && (!ladder.sdpOnly || carriesSdp(number))) {
            ladder.rows.push({index, top, height, kind, number, leg, text});
            top += height;
        }
    }
    ladder.height = top + 12;
    ladder.chosen = Math.max(0, ladder.rows.findIndex(row => row.index === keep));
    const layer = shape('svg', {width: ladderWidth()});
    ladder.layer = layer;
    ladder.drawn = new Map();
    byId('canvas').style.height = ladder.height + 'px';
    byId('canvas').style.width = ladderWidth() + 'px';
    byId('canvas').replaceChildren(layer);
    drawLadder();
}

function rowAt(y) { // the last one that begins at or above y
    let low = 0;
    let high = ladder.rows.length;
    while (low + 1 < high) {
        const middle = (low + high) >> 1;
        ladder.rows[middle].top <= y ? low = middle : high = middle;
    }
    return low;
}

function drawLadder() {
    if (!ladder.entry) {
        return;
    }
    const view = byId('ladder');
    const above = Math.max(0, view.scrollTop - 400);
    const below = Math.min(ladder.height, view.scrollTop + view.clientHeight + 400);
    const layer = ladder.layer;
    layer.style.top = above + 'px';
    layer.setAttribute('height', Math.max(below - above, 1));
    layer.setAttribute('viewBox', `0 ${above} ${layer.getAttribute('width')} ${Math.max(below - above, 1)}`);
    const first = rowAt(above);
    const last = rowAt(below);
    for (const [at, drawn] of ladder.drawn) {
        if (at < first || at > last) {
            drawn.remove();
            ladder.drawn.delete(at);
        }
    }
    drawBack(above, below);
    for (let at = first; at <= last && at < ladder.rows.length; ++at) {
        if (!ladder.drawn.has(at)) {
            const row = ladder.rows[at];
            const box = shape('g', {transform: `translate(0,${row.top})`, 'data-at': at},
                shape('rect', {class: 'back', x: 6, y: 1, width: Number(layer.getAttribute('width')) - 12, height: row.height - 2, rx: 4}), ...picture(row.text));
            ladder.drawn.set(at, box);
            layer.append(box);
        }
        paintState(at);
    }
}

// Lifelines, how long each stream lasts, and where media is on hold.
function drawBack(above, below) {
    ladder.layer.querySelector('.background')?.remove();
    const back = shape('g', {class: 'background'});
    for (const x of ladder.entry.ladder.columns) {
        back.append(shape('path', {class: 'life', d: `M${x} ${above}V${below}`}));
    }
    const extent = (first, last) => {
        const from = ladder.rows.find(row => row.index >= first);
        const to = ladder.rows.findLast(row => row.index <= last);
        return from && to && to.index >= from.index && from.top < below && to.top + to.height > above ? [from.top, to.top + to.height] : null;
    };
    for (const [x, width, first, last, label] of ladder.hiddenKinds.has('media') ? [] : ladder.entry.ladder.holds ?? []) {
        const place = extent(first, last);
        if (place) {
            const height = place[1] - place[0];
            back.append(shape('g', {class: 'hold'}, shape('title', {}, label), shape('rect', {x, y: place[0], width, height, rx: 3}),
                ...height > 8 * label.length ? [shape('text', {class: 'small', 'text-anchor': 'middle', transform: `translate(${x + 36},${place[0] + height / 2}) rotate(-90)`}, label)] : []));
        }
    }
    for (const [x, first, last, secure] of ladder.hiddenKinds.has('media') ? [] : ladder.entry.ladder.spans) {
        const place = extent(first, last);
        if (place) {
            back.append(shape('rect', {class: secure ? 'span good' : 'span', x, y: place[0] + 13, width: 4, height: Math.max(place[1] - place[0] - 17, 8), rx: 2}));
        }
    }
    ladder.layer.prepend(back);
}

function paintState(at) {
    const row = ladder.rows[at];
    const classes = ['row-box', row.leg >= 0 ? `leg-${row.leg % 6}` : ''];
    if (at === ladder.chosen) {
        classes.push('chosen');
    }
    if (row.number > 0 && ladder.marked.includes(row.number)) {
        classes.push('marked');
    }
    if (row.number > 0 && ladder.found.has(row.number)) {
        classes.push('found');
    }
    ladder.drawn.get(at)?.setAttribute('class', classes.join(' '));
}

function chooseRow(at, scroll = true) {
    if (ladder.rows.length === 0) {
        return;
    }
    const before = ladder.chosen;
    ladder.chosen = Math.min(Math.max(at, 0), ladder.rows.length - 1);
    const row = ladder.rows[ladder.chosen];
    const view = byId('ladder');
    const room = view.clientHeight - 70;
    if (scroll && row.top < view.scrollTop) {
        view.scrollTop = row.top - 10;
    } else if (scroll && row.top + row.height > view.scrollTop + room) {
        view.scrollTop = row.top + row.height - room;
    }
    drawLadder();
    [before, ladder.chosen].filter(place => place < ladder.rows.length).forEach(paintState);
    showSide();
    rememberPlace();
}

// The next row in that direction that has something to choose.
function stepRow(by) {
    let at = ladder.chosen + by;
    while (at > 0 && at < ladder.rows.length - 1 && ladder.rows[at].kind === 'note') {
        at += Math.sign(by);
    }
    chooseRow(at);
}

// Message `number`, or the fold that it is in.
function jumpTo(number) {
    let at = ladder.rows.findIndex(row => row.number === number);
    if (at < 0) {
        at = ladder.rows.findLastIndex(row => row.kind === 'message' && row.number > 0 && row.number <= number);
    }
    chooseRow(at < 0 ? 0 : at);
}

function markForComparison() {
    const number = ladder.rows[ladder.chosen]?.number ?? 0;
    if (number === 0) {
        return;
    }
    ladder.marked = ladder.marked.includes(number) ? ladder.marked.filter(one => one !== number) : [...ladder.marked, number];
    if (ladder.marked.length === 2) {
        const facts = ladder.entry.call?.messages;
        const texts = ladder.marked.map(one => textOf(ladder.entry.raw?.[one - 1] ?? ''));
        showComparison(ladder.marked.map(one => `Message ${one} · ${facts?.[one - 1]?.src ?? ''} → ${facts?.[one - 1]?.dst ?? ''}`), texts.map(visible));
        ladder.marked = [];
    } else {
        say('Space on another message compares the two');
    }
    drawLadder();
}
