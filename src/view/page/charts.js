// How it goes, over the last quarter of an hour or hour. A step is ten seconds:
// [seconds since 1970, started, answered, failed, open, median wait, 95 % wait, mean MOS, lowest MOS,
// and of the calls that ended: over TLS 1.3, 1.2, older, partly in clear, in clear].
const charts = {steps: new Map(), span: 90, safety: [], due: false};
const stepSeconds = 10;
const safetyNames = [['TLS 1.3', 'good'], ['TLS 1.2', 'fine'], ['older TLS', 'slow'], ['partly clear', 'mixed'], ['in clear', 'bad']];

function takeTrend({steps = [], safety = charts.safety}) {
    for (const step of steps) {
        charts.steps.set(step[0], step);
    }
    for (const key of charts.steps.keys()) { // in the order in which they came
        if (charts.steps.size <= 370) {
            break;
        }
        charts.steps.delete(key);
    }
    charts.safety = safety;
    if (!charts.due) {
        charts.due = true;
        requestAnimationFrame(drawCharts);
    }
}

// The steps of the window, the oldest first; null where nothing is known.
function windowSteps() {
    const last = Math.max(...charts.steps.keys());
    return Array.from({length: charts.span}, (_, at) => charts.steps.get(last - (charts.span - 1 - at) * stepSeconds) ?? null);
}

// "1,234", "4.3 s", "12 ms".
const countText = n => n.toLocaleString('en');
const waitText = ms => ms < 0 ? '–' : ms < 1 ? `${Math.round(ms * 1000)} µs` : ms >= 1000 ? `${(ms / 1000).toPrecision(2)} s` : `${ms < 10 ? ms.toPrecision(2) : Math.round(ms)} ms`;

// A line through what is known, broken where nothing is.
function pathOf(values, most, height) {
    let out = '';
    let open = false;
    values.forEach((value, at) => {
        if (value === null) {
            open = false;
            return;
        }
        out += `${open ? 'L' : 'M'}${at + .5} ${(height - Math.min(value / most, 1) * (height - 4) - 2).toFixed(2)}`;
        if (!open && (at + 1 >= values.length || values[at + 1] === null)) {
            out += 'h.01'; // a single point is a dot
        }
        open = true;
    });
    return out;
}

function barsOf(values, most, base, height, down = false) {
    return values.map((value, at) => {
        const size = value === null ? 0 : value / most * height;
        return size > 0 ? `M${at + .12} ${base}h.76v${(down ? size : -size).toFixed(2)}h-.76z` : '';
    }).join('');
}

const drawing = (title, ...shapes) => shape('svg', {viewBox: `0 0 ${charts.span} 60`, preserveAspectRatio: 'none', role: 'img', 'aria-label': title}, ...shapes);
const line = (d, kind) => shape('path', {class: `trace ${kind}`, d});
const bars = (d, kind) => shape('path', {class: `bars ${kind}`, d});

function card(title, figure, tone, caption, picture, scale = '') {
    return element('figure', {class: 'card'}, element('figcaption', {}, title),
        element('div', {class: `figure ${tone}`}, figure), element('div', {class: 'caption'}, caption),
        element('div', {class: 'drawing'}, picture, scale ? element('span', {class: 'scale'}, scale) : ''));
}

function columnOf(steps, at, absent = value => value === undefined) {
    return steps.map(step => step === null || absent(step[at]) ? null : step[at]);
}

const mostOf = (values, least = 1) => Math.max(least, ...values.filter(value => value !== null));
const sumOf = values => values.reduce((sum, value) => sum + (value ?? 0), 0);

function callsCard(steps) {
    const open = columnOf(steps, 4);
    const started = columnOf(steps, 1);
    const most = mostOf(open);
    const area = pathOf(open, most, 60);
    const now = open.findLast(value => value !== null) ?? 0;
    return card('Going on', countText(now), '', `${countText(sumOf(started))} began`,
        drawing('Calls that go on', bars(barsOf(started, mostOf(started), 60, 24), 'soft'), line(area, 'plain')), countText(most));
}

// What was answered goes up from the middle, what failed goes down.
function answersCard(steps) {
    const answered = columnOf(steps, 2);
    const failed = columnOf(steps, 3);
    const [yes, no] = [sumOf(answered), sumOf(failed)];
    const most = Math.max(mostOf(answered), mostOf(failed));
    const share = yes + no > 0 ? yes / (yes + no) * 100 : null;
    return card('Answered ▴ failed ▾', share === null ? '–' : `${share >= 99.95 ? 100 : share.toFixed(1)} %`, share === null ? '' : no === 0 ? 'good' : share > 90 ? '' : 'bad',
        `${countText(yes)} answered, ${countText(no)} failed`,
        drawing('Answered and failed', bars(barsOf(answered, most, 38, 36), 'good'), bars(barsOf(failed, most, 39, 21, true), 'bad'), shape('path', {class: 'axis', d: `M0 38.5h${charts.span}`})),
        yes + no > 0 ? countText(most) : '');
}

function waitsCard(steps) {
    const unknown = value => value === undefined || value < 0;
    const median = columnOf(steps, 5, unknown);
    const slow = columnOf(steps, 6, unknown);
    const most = mostOf(slow, .1);
    const last = median.findLast(value => value !== null) ?? -1;
    const scale = last < 0 ? '' : waitText(most);
    return card('First response', waitText(last), last > 500 ? 'slow' : '', last < 0 ? 'no response yet' : `95 % within ${waitText(slow.findLast(value => value !== null) ?? -1)}`,
        drawing('Time to the first response: median, and 95 % dashed', line(pathOf(slow, most, 60), 'dashed'), line(pathOf(median, most, 60), 'plain')), scale);
}

// Of the calls that ended in each step, which shares were how safe: the safest at the bottom.
function safetyBars(steps, kinds) {
    const height = 30;
    const all = steps.map(step => step === null ? 0 : sumOf(step.slice(9, 14)));
    const below = steps.map(() => 0);
    return kinds.map(([name, kind, , at]) => {
        const d = steps.map((step, place) => {
            const count = step === null ? 0 : step[9 + at] ?? 0;
            if (count === 0) {
                return '';
            }
            const size = count / all[place] * height;
            const base = height - below[place];
            below[place] += size;
            return `M${place + .06} ${base.toFixed(2)}h.88v${(-size).toFixed(2)}h-.88z`;
        }).join('');
        return shape('path', {class: `bars ${kind}`, d}, shape('title', {}, name));
    });
}

function safetyCard(steps) {
    const all = sumOf(charts.safety);
    const share = all > 0 ? sumOf(charts.safety.slice(0, 3)) / all * 100 : null;
    const rows = safetyNames.map(([name, kind], at) => [name, kind, charts.safety[at] ?? 0, at]).filter(([, , count]) => count > 0);
    const drawn = shape('svg', {viewBox: `0 0 ${charts.span} 30`, preserveAspectRatio: 'none', role: 'img', 'aria-label': 'Shares of TLS versions and of clear signalling over time'}, ...safetyBars(steps, rows));
    const picture = element('div', {class: 'shares'}, drawn, rows.map(([name, kind, count]) => element('div', {}, element('i', {class: kind}), `${name} `, element('b', {}, `${(count / all * 100).toFixed(count === all ? 0 : 1)} %`))));
    return card('Signalling, last hour', share === null ? '–' : `${share.toFixed(share === 100 || share === 0 ? 0 : 1)} %`, share === null ? '' : share === 100 ? 'good' : share < 50 ? 'bad' : 'slow',
        all === 0 ? 'nothing has ended yet' : 'over TLS all the way', picture);
}

function voiceCard(steps) {
    const unknown = value => !value;
    const mean = columnOf(steps, 7, unknown);
    const low = columnOf(steps, 8, unknown);
    const known = mean.filter(value => value !== null);
    const figure = known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
    const lowest = low.filter(value => value !== null);
    const rise = value => value === null ? null : value - 1;
    return card('Voice, MOS', figure === null ? '–' : figure.toFixed(2), figure === null ? '' : figure >= 4 ? 'good' : figure >= 3.1 ? 'slow' : 'bad',
        lowest.length > 0 ? `lowest ${Math.min(...lowest).toFixed(2)}` : 'no streams yet',
        drawing('MOS: mean, and the lowest dashed', line(pathOf(low.map(rise), 4, 60), 'dashed'), line(pathOf(mean.map(rise), 4, 60), 'plain')), figure === null ? '' : '5');
}

function drawCharts() {
    charts.due = false;
    if (charts.steps.size === 0 || byId('charts').hidden) {
        return;
    }
    const steps = windowSteps();
    byId('cards').replaceChildren(callsCard(steps), answersCard(steps), waitsCard(steps), safetyCard(steps), voiceCard(steps));
    byId('span').textContent = charts.span === 90 ? 'last 15 minutes' : 'last hour';
}
