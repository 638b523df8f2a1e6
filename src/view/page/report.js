// The page that holds all its calls.
const about = data('about');
const entries = new Map(); // those that were opened

function entryAt(at) {
    if (!entries.has(at)) {
        const entry = data(`entry-${at}`);
        entry.call = entry.call?.[0] ?? null;
        entries.set(at, entry);
    }
    return entries.get(at);
}

const openCall = at => showEntry(at, entryAt(at));
function searchList() {
    list.word = state.word;
    arrangeList();
}

const leaveCall = () => {};
const mayGoBack = () => list.all.length > 1;
const placeOf = () => state.open + 1;
const commandOf = call => `${about.command} --call ${shellQuoted(call.call_ids[0] ?? String(call.id))} --format ladder`;

function listHead() {
    const bad = list.all.filter(row => row.rules.some(([, tone]) => tone === 'bad')).length;
    showHead(document.title, [chip('', `${list.all.length} calls`), bad > 0 ? chip('bad', `✗ ${bad} with faults`) : '',
        ...(data('inputs') ?? []).flatMap(input => input.problems.map(problem => chip('slow', `! ${input.file}: ${problem}`)))]);
}

function goToPlace() {
    const place = new URLSearchParams(location.hash.slice(1));
    const at = Number(place.get('call')) - 1;
    if (at >= 0 && at < list.all.length) {
        openCall(at);
        if (place.has('message')) {
            jumpTo(Number(place.get('message')));
        }
        return true;
    }
    return false;
}

addEventListener('hashchange', goToPlace);
openList(data('rows'));
if (!goToPlace()) {
    list.all.length === 1 || list.all[0]?.kind === 'flow' ? openCall(0) : showList();
}
