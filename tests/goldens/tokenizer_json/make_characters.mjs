// Makes src/Nano.Model/Tokenizers/Pipeline/characters.txt: the sets of characters that Hugging Face's tokenizers (the Rust library, by way of its Node
// binding on npm) tests for, where its Unicode is older or newer than .NET's, and the compatibility decompositions that it knows.
// Run from the repository's root, beside "npm install tokenizers@0.23.2": node tests/goldens/tokenizer_json/make_characters.mjs
import fs from 'node:fs';
import { createRequire } from 'node:module';

const hf = createRequire(process.cwd() + '/')('tokenizers');
const hex = c => c.toString(16).toUpperCase().padStart(4, '0'), text = (...c) => String.fromCodePoint(...c), points = s => [...s].map(x => x.codePointAt(0));
const all = [];
for (let c = 0; c < 0x110000; c++)
    if (c < 0xD800 || c > 0xDFFF)
        all.push(c);

const bert = options => hf.bertNormalizer({ cleanText: false, handleChineseChars: false, stripAccents: false, lowercase: false, ...options });
const strip = hf.stripAccentsNormalizer(), clean = bert({ cleanText: true }), accents = bert({ stripAccents: true }), punctuation = hf.punctuationPreTokenizer();
const nfd = hf.nfdNormalizer(), nfkd = hf.nfkdNormalizer();
const of = (normalizer, s) => normalizer.normalizeString(s);
const isGone = normalizer => c => of(normalizer, 'x' + text(c) + 'x') === 'xx';
const isHangul = c => c >= 0xAC00 && c <= 0xD7A3;
// Class 0 to the library: neither goes before a mark of the highest class nor behind one of the lowest.
const isMark = c => /\p{M}/u.test(text(c)) && text(c).normalize('NFD') === text(c);
const swaps = (a, b, form) => { const s = 'a' + text(a, b), t = form(s); return t !== s && points(t).length === 3; };
const moves = form => c => swaps(0x345, c, form) || swaps(c, 0x334, form);

const sets = {
    'punctuation': c => punctuation.preTokenizeString('a' + text(c) + 'a').length > 1,
    'mark': isGone(strip),
    'nonspacing mark': c => isGone(accents)(c),
    'control': isGone(clean),
    'decomposed since': c => of(nfd, text(c)) !== text(c).normalize('NFD'),
    'mark since': c => isMark(c) && moves(s => s.normalize('NFD'))(c) && !moves(s => of(nfd, s))(c),
};
const lines = [];
for (const [name, has] of Object.entries(sets)) {
    const ranges = [];
    for (const c of all.filter(has)) {
        if (ranges.length && ranges.at(-1)[1] === c - 1)
            ranges.at(-1)[1] = c;
        else
            ranges.push([c, c]);
    }
    lines.push(`${name}: ${ranges.map(([a, b]) => a === b ? hex(a) : `${hex(a)}-${hex(b)}`).join(' ')}`);
}
for (const c of all) {
    const s = text(c);
    if (!isHangul(c) && of(nfkd, s) !== of(nfd, s))
        lines.push(`${hex(c)}=${points(of(nfkd, s)).map(hex).join(' ')}`);
}
fs.writeFileSync('src/Nano.Model/Tokenizers/Pipeline/characters.txt', lines.join('\n') + '\n');
