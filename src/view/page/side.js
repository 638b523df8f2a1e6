// The pane at the side: what went wrong, how safe it was, how the media was, and the message.

function numbers(finding) {
    return finding.numbers.slice(0, 12).flatMap((number, at) =>
        [at > 0 ? ', ' : finding.numbers.length > 1 ? ' messages ' : ' message ', element('button', {class: 'jump', onclick: () => jumpTo(number)}, String(number))]);
}

function findingsPane(shown) {
    return shown.findings.length === 0 ? [] : [element('h2', {}, 'What went wrong'), ...shown.findings.map(finding =>
        element('div', {class: `finding ${finding.tone}`, style: `margin-left:${finding.depth}em`},
            element('b', {}, `${finding.depth > 0 ? '↳ ' : ''}${sign(finding.tone)}${finding.rule} ${finding.title}`),
            finding.evidence ? element('div', {}, 'Seen: ' + finding.evidence) : '', element('div', {}, finding.advice), element('small', {}, finding.rfc, numbers(finding))))];
}

function safetyPane(shown) {
    return !shown.security ? [] : [element('h2', {}, 'How safe'), element('div', {class: shown.safe}, sign(shown.safe) + shown.security),
        shown.weakest ? element('div', {class: 'dim'}, 'Weakest: ' + shown.weakest) : '',
        ...(shown.safety ?? []).map(([tone, line]) => element('div', {class: tone}, sign(tone) + line))];
}

function meter(share, tone) {
    return element('span', {class: `bar ${tone}`, 'aria-hidden': 'true'}, element('i', {style: `width:${Math.round(Math.min(Math.max(share, 0), 1) * 100)}%`}));
}

// A stream over its time: a strip each for loss, jitter and MOS. Periods in which nothing came are grey.
function courseChart(course) {
    const periods = course?.periods ?? [];
    if (periods.length < 2) {
        return '';
    }
    const height = 26;
    const length = periods.length * course.period_s;
    const share = ([came, missing]) => came + missing > 0 ? missing / (came + missing) * 100 : null;
    const strip = (name, values, most, figure, draw) => element('div', {class: 'strip'}, element('span', {}, name),
        shape('svg', {viewBox: `0 0 ${periods.length} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `${name} over ${length} s: ${figure}`},
            shape('title', {}, `${name} over ${length} s, ${course.period_s} s each: ${figure}`),
            shape('path', {class: 'silent', d: values.map((value, at) => value === null ? `M${at} 0h1v${height}h-1z` : '').join('')}), draw(values, most)),
        element('span', {class: 'figure'}, figure));
    const bars = kind => (values, most) => shape('path', {class: `bars ${kind}`,
        d: values.map((value, at) => value > 0 ? `M${at + .1} ${height}h.8v${-Math.max(value / most * (height - 2), 1.5).toFixed(2)}h-.8z` : '').join('')});
    const line = kind => (values, most) => {
        let open = false;
        return shape('path', {class: `trace ${kind}`, d: values.map((value, at) => {
            const move = open ? 'L' : 'M';
            open = value !== null;
            return open ? `${move}${at + .5} ${(height - 2 - Math.min(value / most, 1) * (height - 4)).toFixed(2)}` : '';
        }).join('')});
    };
    const loss = periods.map(share);
    const jitter = periods.map(([came, , value]) => came > 0 ? value : null);
    const mos = periods.map(([, , , value]) => value > 0 ? value : null);
    const mostLoss = Math.max(...loss.map(value => value ?? 0));
    const mostJitter = Math.max(...jitter.map(value => value ?? 0));
    const scored = mos.filter(value => value !== null);
    return element('div', {class: 'course'},
        strip('Loss', loss, Math.max(mostLoss, 1), mostLoss > 0 ? `at most ${mostLoss.toFixed(1)} %` : 'none', bars(mostLoss < 5 ? 'slow' : 'bad')),
        strip('Jitter', jitter, Math.max(mostJitter, 5), `at most ${mostJitter.toFixed(1)} ms`, line('plain')),
        scored.length > 0 ? strip('MOS', mos.map(value => value === null ? null : value - 1), 3.5, `at least ${Math.min(...scored).toFixed(2)}`, line('good')) : '',
        element('div', {class: 'strip axis'}, element('span', {}, ''), element('span', {class: 'scale'}, element('span', {}, '0 s'), element('span', {}, `${length} s`)), element('span', {class: 'figure'}, '')));
}

function mediaPane(entry) {
    const streams = entry.call?.media ?? [];
    if (streams.length === 0) {
        return [];
    }
    return [element('h2', {}, 'Media'), ...streams.slice(0, 32).map((stream, at) => {
        const loss = stream.expected > 0 ? stream.missing / stream.expected : 0;
        const rows = [
            ['MOS', stream.mos === null ? ['no model for this codec'] : [meter(stream.mos / 5, stream.mos >= 4 ? 'good' : stream.mos >= 3.1 ? 'slow' : 'bad'), stream.mos.toFixed(2)]],
            ['Loss', [meter(loss * 10, loss < .01 ? 'good' : loss < .05 ? 'slow' : 'bad'), `${(loss * 100).toFixed(2)} % · ${stream.missing} of ${stream.expected}`]],
            ['Jitter', [meter(stream.jitter_ms / 60, stream.jitter_ms < 20 ? 'good' : stream.jitter_ms < 40 ? 'slow' : 'bad'), `${stream.mean_jitter_ms.toFixed(1)} ms, at most ${stream.jitter_ms.toFixed(1)} ms`]],
            ['Longest gap', [`${stream.max_gap_ms.toFixed(0)} ms`]],
            stream.rtcp?.reports ? ['Receiver says', [`${stream.rtcp.reports} report${stream.rtcp.reports === 1 ? '' : 's'}`, stream.rtcp.fraction_lost === null ? '' : `, ${(stream.rtcp.fraction_lost * 100).toFixed(1)} % lost`]] : null,
            stream.opening ? ['Opened', [`${stream.opening.opened} of ${stream.packets} packets`, stream.opening.keys ? ` by ${stream.opening.keys.toUpperCase()}, ${stream.opening.suite}` : '']] : null,
            stream.opening?.problem ? ['Why not', [element('span', {class: stream.opening.failed > 0 ? 'bad' : 'dim'}, stream.opening.problem)]] : null,
            stream.dtmf.length > 0 ? ['DTMF', [stream.dtmf.map(digit => digit.digit).join(' ')]] : null,
        ].filter(Boolean);
        return element('details', {open: streams.length < 5 ? '' : null},
            element('summary', {}, `${stream.codec ?? '?'} `, element('span', {class: stream.srtp ? 'good' : 'bad'}, stream.srtp ? `✓ ${stream.srtp}` : '✗ RTP in clear')),
            element('div', {class: 'mono dim'}, `${stream.src} → ${stream.dst}`),
            courseChart(entry.courses?.[at]),
            element('table', {}, rows.map(([what, cells]) => element('tr', {}, element('th', {}, what), element('td', {}, cells)))));
    })];
}

function verdictsPane(entry) {
    if (!entry.verdicts) {
        return [];
    }
    const row = v => element('tr', {}, element('td', {}, v.place), element('td', {}, v.at), element('td', {}, v.who, element('br'), v.what),
        element('td', {}, element('span', {class: v.tone}, sign(v.tone) + v.verdict), v.why ? element('div', {}, v.why) : '',
            v.expected || v.received ? element('div', {}, element('div', {class: 'good'}, 'expected: ' + v.expected), element('div', {class: 'bad'}, 'received: ' + v.received)) : ''));
    const head = ['Line', 's', 'What', 'Verdict'].map(title => element('th', {}, title));
    return [element('h2', {}, 'Verdicts'), element('table', {}, element('tr', {}, head), entry.verdicts.map(row)),
        element('h2', {}, 'The flow'), element('pre', {}, visible(entry.source))];
}

function showSide() {
    const entry = ladder.entry;
    const number = ladder.rows[ladder.chosen]?.number ?? 0;
    const pane = byId('side');
    const focused = pane.contains(document.activeElement);
    pane.replaceChildren(...findingsPane(entry.ladder), ...verdictsPane(entry), ...(number > 0 ? messagePane(entry, number, state.word) : []),
        ...safetyPane(entry.ladder), ...mediaPane(entry), entry.ladder.connections.length > 0 ? element('h2', {}, 'Connections') : '',
        ...entry.ladder.connections.map(line => element('div', {class: 'mono dim'}, line)));
    if (focused) {
        byId('ladder').focus();
    }
}
