// Makes src/Nano.Model/Tokenizers/nfc.txt (canonical decompositions and combining classes) and tests/goldens/tokenizer/nfc_cases.json from the
// Unicode data inside Node (String.prototype.normalize). Run from the repository's root: node tests/goldens/make_nfc.mjs
import fs from 'node:fs';

const hex = c => c.toString(16).toUpperCase().padStart(4, '0'), points = s => [...s].map(x => x.codePointAt(0)), text = (...c) => String.fromCodePoint(...c);
const all = [];
for (let c = 0; c < 0x110000; c++)
    if ((c < 0xD800 || c > 0xDFFF) && (c < 0xAC00 || c > 0xD7A3))
        all.push(c);

// Two marks change places in normal form D if the first has the higher class. Groups of marks that never do have one class; classes are numbered in order,
// which is all that normalization asks of them.
const swaps = (a, b) => a !== b && points(('a' + text(a, b)).normalize('NFD')).join() === points('a' + text(b, a)).join();
const isOneMark = c => /\p{M}/u.test(text(c)) && points(text(c).normalize('NFD')).length === 1 && text(c).normalize('NFD') === text(c);
const classes = []; // ordered groups
const low = 0x334, high = 0x345; // classes 1 and 240
for (const c of all.filter(isOneMark)) {
    if (c !== low && c !== high && !swaps(high, c) && !swaps(c, low))
        continue; // class 0
    let at = 0;
    while (at < classes.length && swaps(c, classes[at][0]))
        at++;
    if (at < classes.length && !swaps(classes[at][0], c))
        classes[at].push(c);
    else
        classes.splice(at, 0, [c]);
}

const lines = [`Unicode ${process.versions.unicode}: combining classes in order (a line each: ranges), then "composite=first second" and, with "-", what is decomposed for good`];
for (const group of classes) {
    const ranges = [];
    for (const c of group) {
        if (ranges.length && ranges.at(-1)[1] === c - 1)
            ranges.at(-1)[1] = c;
        else
            ranges.push([c, c]);
    }
    lines.push(ranges.map(([a, b]) => a === b ? hex(a) : `${hex(a)}-${hex(b)}`).join(' '));
}
const decomposed = [];
for (const c of all) {
    const d = points(text(c).normalize('NFD'));
    if (d.length === 1 && d[0] === c)
        continue;
    decomposed.push(c);
    if (text(c).normalize('NFC') === text(c))
        lines.push(`${hex(c)}=${points(text(...d.slice(0, -1)).normalize('NFC')).map(hex).join(' ')} ${hex(d.at(-1))}`);
    else
        lines.push(`-${hex(c)}=${d.map(hex).join(' ')}`);
}
fs.writeFileSync('src/Nano.Model/Tokenizers/nfc.txt', lines.join('\n') + '\n');

let state = 12345;
const random = n => (state = (state * 1103515245 + 12345) % 2147483648) % n;
const marks = classes.flat(), letters = points('aeiouAEIOUcnsyzαιωЕика中한'), jamo = [0x1100, 0x1112, 0x1161, 0x1175, 0x11A7, 0x11A8, 0x11C2, 0xAC00, 0xAC01];
const pools = [marks, [0x300, 0x301, 0x302, 0x304, 0x308, 0x323, 0x327, 0x345, 0x328], letters, decomposed, jamo];
const rows = Array.from({ length: 400 }, () => {
    let s = '';
    for (let n = 1 + random(8); n > 0; n--) {
        const pool = pools[random(pools.length)];
        s += text(pool[random(pool.length)]);
    }
    return s;
});
const escape = s => JSON.stringify(s).replace(/[^\x20-\x7E]/g, u => '\\u' + u.charCodeAt(0).toString(16).padStart(4, '0'));
fs.writeFileSync('tests/goldens/tokenizer/nfc_cases.json', '[\n' + rows.map(s => `[${escape(s)}, ${escape(s.normalize('NFC'))}]`).join(',\n') + '\n]\n');
