// Elements are made here and nowhere else. What a capture holds gets into the page as text nodes and
// as pictures that were made by the program (picture()), never as markup.
const byId = id => document.getElementById(id);

function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith('on')) {
            made.addEventListener(key.slice(2), value);
        } else if (value !== null && value !== false) {
            made.setAttribute(key, value);
        }
    }
    made.append(...children.flat().filter(child => child !== null && child !== ''));
    return made;
}

const svgName = 'http://www.w3.org/2000/svg';

function shape(name, attributes = {}, ...children) {
    const made = document.createElementNS(svgName, name);
    for (const [key, value] of Object.entries(attributes)) {
        made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
}

// A piece of SVG that the program drew, as elements. It is XML: a mistake in it draws nothing.
function picture(text) {
    const parsed = new DOMParser().parseFromString(`<svg xmlns="${svgName}">${text}</svg>`, 'image/svg+xml');
    return [...document.importNode(parsed.documentElement, true).childNodes];
}

function data(id) {
    const holder = byId(id);
    return holder ? JSON.parse(holder.textContent) : null;
}

let saidTimer = 0;
function say(text) {
    byId('said').textContent = text;
    byId('said').classList.add('shown');
    clearTimeout(saidTimer);
    saidTimer = setTimeout(() => byId('said').classList.remove('shown'), 1800);
}

function copy(text, what) {
    const done = () => say(`${what} copied`);
    const byHand = () => { // a page from a file may not use the clipboard otherwise
        const area = element('textarea', {style: 'position:fixed;opacity:0'});
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand('copy');
        area.remove();
        done();
    };
    navigator.clipboard ? navigator.clipboard.writeText(text).then(done, byHand) : byHand();
}
