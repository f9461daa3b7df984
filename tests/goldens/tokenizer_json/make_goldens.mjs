// Makes cases.json: small tokenizer.json documents, one for each construct, with texts, their ids and the text that the ids decode to, from Hugging Face's
// tokenizers (the Rust library, by way of its Node binding on npm).
// Run from the repository's root, beside "npm install tokenizers@0.23.2": node tests/goldens/tokenizer_json/make_goldens.mjs
import fs from 'node:fs';
import { createRequire } from 'node:module';

const { Tokenizer } = createRequire(process.cwd() + '/')('tokenizers');

const texts = ['', '   ', 'a', ' hello  the world', 'Hello, the "world"!', 'a\tb\nc\r\n\r\nd', 'caf\u00e9 cafe\u0301 na\u00efve', '\u4e2d\u6587 \u65e5\u672c\u8a9e\uff21\uff22',
    'x\ud83d\ude00y \ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67', '12 345\u00bd \u0663\u2167\u2460', "it's we'll I'M don't", '\u00a0a\u00a0\u3000b', '\ufb01 \u1e9e\u00df \u0130I \u01c5', '\ud55c\uae00 \u1112\u1161\u11ab',
    '<s>hello</s> <mask> x', 'hello<mask>\nthe </s>', '\u2581hello\u2581\u2581the', 'lower lowest newer-er_1', 'aaaaaaaaaa\u0301\u0323', '\u0915\u094d\u0937 \u0e33\u200b.\ufeff', 'a\u0001b\ufffdc\u007f', '[MASK] the<unk>'];

const alphabet = []; // GPT-2's characters for the bytes 0 to 255
for (let b = 0, k = 0; b < 256; b++)
    alphabet.push((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? String.fromCharCode(b) : String.fromCharCode(256 + k++));
const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
const letters = [...'abcdefghilmnorstuvwxyzHIDTAB.,!\'"-_<>/[]0123456789'], others = [...'\u00e9\u00ef\u4e2d\u6587\u65e5\u672c\ud83d\ude00\u00bd\ud55c\u00df'];
const words = ['he', 'll', 'hell', 'hello', 'th', 'the', 'lo', 'er', 'low', 'est', 'new', 'wo', 'or', 'ld'];
const vocab = (...lists) => Object.fromEntries([...new Set(lists.flat())].map((token, id) => [token, id]));
const token = (content, options = {}) => ({ id: 0, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...options });
const special = [token('<unk>'), token('<s>'), token('</s>'), token('<mask>')];
const merges = [['h', 'e'], ['l', 'l'], ['he', 'll'], ['hell', 'o'], ['t', 'h'], ['th', 'e'], ['l', 'o'], ['e', 'r']];

const bpe = (options = {}, more = []) => ({ type: 'BPE', dropout: null, unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false,
    vocab: vocab('<unk>', letters, '\u2581', ' ', others, words, more), merges, ...options });
const byteBpe = (options = {}) => bpe({ unk_token: null, vocab: vocab(alphabet, words, ['\u0120', '\u0120the']), merges: [...merges, ['\u0120', 'the']], ...options });
const unigram = (options = {}, more = []) => ({ type: 'Unigram', unk_id: 0, byte_fallback: false, ...options,
    vocab: [['<unk>', 0], ...[...letters, '\u2581', ...others.slice(0, 5)].map((c, i) => [c, -5 - i / 8]), ...words.map((w, i) => [w, -4 - i / 4]), ['\u2581the', -3.5], ['\u2581hello', -3], ['\u2581wor', -6], ['world', -7.25], ...more] });
const wordPiece = (options = {}) => ({ type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100,
    vocab: vocab('[UNK]', letters, letters.map(c => '##' + c), words, words.map(w => '##' + w), others), ...options });
const wordLevel = (options = {}) => ({ type: 'WordLevel', unk_token: '[UNK]', vocab: vocab('[UNK]', words, letters, others, ['world', 'Hello', '...']), ...options });

// A double array (Darts-clone's layout) for normalization rules.
function charsmap(rules) {
    const root = { next: new Map(), leaf: -1 }, encoder = new TextEncoder(), replacements = [];
    for (const [from, to] of Object.entries(rules)) {
        let node = root;
        for (const b of encoder.encode(from))
            node = node.next.get(b) ?? node.next.set(b, { next: new Map(), leaf: -1 }).get(b);
        node.leaf = replacements.length;
        replacements.push(...encoder.encode(to), 0);
    }
    const units = [0], used = new Set([0]);
    (function place(node, at) {
        const labels = [...(node.leaf < 0 ? [] : [0]), ...node.next.keys()];
        let offset = 1;
        while (labels.some(label => used.has(at ^ offset ^ label)))
            offset++;
        labels.forEach(label => used.add(at ^ offset ^ label));
        units[at] = ((units[at] ?? 0) | (offset << 10) | (node.leaf < 0 ? 0 : 0x100)) >>> 0;
        if (node.leaf >= 0)
            units[at ^ offset] = (node.leaf | 0x80000000) >>> 0;
        for (const label of node.next.keys())
            units[at ^ offset ^ label] = label;
        node.next.forEach((next, label) => place(next, at ^ offset ^ label));
    })(root, 0);
    const length = Math.max(...used) + 256, head = Buffer.alloc(4 + 4 * length);
    head.writeUInt32LE(4 * length, 0);
    for (let i = 0; i < length; i++)
        head.writeUInt32LE(units[i] ?? 0, 4 + 4 * i);
    return Buffer.concat([head, Buffer.from(replacements)]).toString('base64');
}

const sequence = (key, ...list) => ({ type: 'Sequence', [key]: list });
const byteLevel = (prefix, regex) => ({ type: 'ByteLevel', add_prefix_space: prefix, trim_offsets: true, use_regex: regex });
const metaspace = (scheme, split) => ({ type: 'Metaspace', replacement: '\u2581', prepend_scheme: scheme, split });
const replace = (from, content) => ({ type: 'Replace', pattern: typeof from === 'string' ? { String: from } : { Regex: from.source }, content });
const split = (from, behavior, invert = false) => ({ type: 'Split', pattern: typeof from === 'string' ? { String: from } : { Regex: from.source }, behavior, invert });
const toSigns = replace(' ', '\u2581'), llama = sequence('normalizers', { type: 'Prepend', prepend: '\u2581' }, toSigns);
const llamaDecoder = sequence('decoders', replace('\u2581', ' '), { type: 'ByteFallback' }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 });
const bert = options => ({ type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true, ...options });
const whole = { version: '1.0', truncation: null, padding: null, added_tokens: special, normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
const documents = {};
const add = (name, parts) => documents[name] = { ...whole, ...parts };
const seen = model => ({ model, decoder: { type: 'Fuse' } });

const normalizers = {
    NFC: { type: 'NFC' }, NFD: { type: 'NFD' }, NFKC: { type: 'NFKC' }, NFKD: { type: 'NFKD' }, Lowercase: { type: 'Lowercase' }, StripAccents: sequence('normalizers', { type: 'NFD' }, { type: 'StripAccents' }),
    'Strip left': { type: 'Strip', strip_left: true, strip_right: false }, Strip: { type: 'Strip', strip_left: true, strip_right: true }, 'Replace text': replace('ll', 'x'), 'Replace expression': replace(/\s+/, '\u2581'),
    'Replace empty matches': replace(/x*/, '-'), Prepend: { type: 'Prepend', prepend: '\u2581' }, Bert: bert({}), 'Bert cased': bert({ lowercase: false, handle_chinese_chars: false }), 'Bert accents kept': bert({ strip_accents: false, clean_text: false }),
    Nmt: { type: 'Nmt' }, ByteLevel: { type: 'ByteLevel' },
    Precompiled: { type: 'Precompiled', precompiled_charsmap: charsmap({ '\u00e9': 'e', 'e\u0301': '\u00e9', '\ufb01': 'fi', '\u00a0': ' ', '\u3000': ' ', '\u00bd': '1/2', '\u4e2d': '\u6587', '\u0001': '', 'l': 'L', 'lo': 'Q', '\u0301': '', '\ud83d\ude00': ':)' }) },
};
for (const [name, normalizer] of Object.entries(normalizers))
    add('normalizer ' + name, { normalizer, ...seen(bpe({}, alphabet)) });
const preTokenizers = {
    'ByteLevel': byteLevel(false, true), 'ByteLevel prefix': byteLevel(true, true), 'ByteLevel without regex': byteLevel(true, false), Whitespace: { type: 'Whitespace' }, WhitespaceSplit: { type: 'WhitespaceSplit' },
    Bert: { type: 'BertPreTokenizer' }, Digits: { type: 'Digits', individual_digits: false }, 'single Digits': { type: 'Digits', individual_digits: true }, CharDelimiterSplit: { type: 'CharDelimiterSplit', delimiter: 'l' },
    FixedLength: { type: 'FixedLength', length: 3 }, 'Metaspace first behind a cut': sequence('pretokenizers', split(' ', 'MergedWithNext'), metaspace('first', false)), 'several': sequence('pretokenizers', { type: 'Whitespace' }, { type: 'Digits', individual_digits: true }, { type: 'Punctuation' }),
    'ByteLevel first': sequence('pretokenizers', byteLevel(false, false), { type: 'Digits', individual_digits: true }),
};
for (const behavior of ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']) {
    preTokenizers['Punctuation ' + behavior] = { type: 'Punctuation', behavior };
    preTokenizers['Split text ' + behavior] = split('l', behavior);
    preTokenizers['Split expression ' + behavior] = split(/[aeo\u4e00-\u9fff]|\s/, behavior);
    preTokenizers['Split inverted ' + behavior] = split(/\p{L}+|\d/, behavior, true);
}
for (const scheme of ['always', 'first', 'never'])
    for (const cut of [true, false])
        preTokenizers[`Metaspace ${scheme} ${cut ? 'split' : 'whole'}`] = metaspace(scheme, cut);
// A word-level model shows where pieces end.
for (const [name, pre_tokenizer] of Object.entries(preTokenizers))
    add('pre-tokenizer ' + name, { pre_tokenizer, model: bpe({ fuse_unk: true, unk_token: '<unk>', end_of_word_suffix: '|' }, [...letters, ...others, '\u2581', ' ', ...alphabet.slice(128)].map(c => c + '|')) });

for (const fuse_unk of [false, true])
    for (const missing of [0, 1, 256])
        add(`BPE fuse_unk ${fuse_unk}, ${missing} bytes missing`, { normalizer: llama, decoder: llamaDecoder, model: bpe({ fuse_unk, byte_fallback: true }, bytes.filter((_, b) => b !== 0x9F || !missing).slice(missing === 256 ? 256 : 0)) });
add('BPE prefix and suffix', { pre_tokenizer: { type: 'Whitespace' }, decoder: { type: 'BPEDecoder', suffix: '</w>' }, model: bpe({ continuing_subword_prefix: '@@', end_of_word_suffix: '</w>',
    vocab: vocab('<unk>', letters, letters.map(c => '@@' + c), letters.map(c => '@@' + c + '</w>'), letters.map(c => c + '</w>'), ['he', '@@ll', 'hell', 'hello</w>', '@@er</w>']), merges: ['h @@e', '@@l @@l', 'he @@ll', 'hell @@o</w>', '@@e @@r</w>'] }) });
add('BPE ignore_merges', { pre_tokenizer: byteLevel(false, true), decoder: byteLevel(true, true), model: byteBpe({ ignore_merges: true, merges: [] }) });
add('BPE merges twice and with the unknown', { model: bpe({ vocab: vocab('<unk>', letters, others, words, ['<unk>a', 'a<unk>', ' ']), merges: ['h e', 'l l', 'he l', '#version: 0.2', 'l o', 'he ll', 'l l', '<unk> a'].filter(m => m !== 'he l') }) });
const { type, ...untyped } = byteBpe();
add('BPE without a type', { pre_tokenizer: byteLevel(false, true), decoder: byteLevel(true, true), model: untyped });
for (const byte_fallback of [false, true])
    add(`Unigram byte_fallback ${byte_fallback}`, { pre_tokenizer: metaspace('always', true), decoder: sequence('decoders', { type: 'ByteFallback' }, metaspace('always', true)), model: unigram({ byte_fallback }, byte_fallback ? bytes.map((b, i) => [b, -i / 100]) : []) });
add('Unigram whole, equal scores', { model: unigram({}, [['ab', -10], ['bc', -10], ['aa', -5], ['aaa', -7.5], ['  ', -1], ['\u4e2d\u6587', -3]]) });
add('WordPiece', { normalizer: bert({}), pre_tokenizer: { type: 'BertPreTokenizer' }, decoder: { type: 'WordPiece', prefix: '##', cleanup: true }, model: wordPiece(),
    post_processor: sequence('processors', { type: 'BertProcessing', sep: ['</s>', 2], cls: ['<s>', 1] }) });
add('WordPiece short words', { pre_tokenizer: { type: 'WhitespaceSplit' }, decoder: { type: 'WordPiece', prefix: '##', cleanup: false }, model: wordPiece({ max_input_chars_per_word: 4 }), post_processor: { type: 'RobertaProcessing', sep: ['</s>', 2], cls: ['<s>', 1], trim_offsets: true, add_prefix_space: false } });
add('WordLevel', { pre_tokenizer: { type: 'Whitespace' }, model: wordLevel() });
const { type: ignored, ...untypedWords } = wordLevel();
add('WordLevel without a type', { pre_tokenizer: { type: 'BertPreTokenizer' }, model: untypedWords });

const flags = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'];
for (let bits = 0; bits < 32; bits++)
    if (bits % 3 !== 1) {
        const options = Object.fromEntries(flags.map((flag, i) => [flag, (bits >> i & 1) === 1]));
        add('added ' + (flags.filter(flag => options[flag]).join(' ') || 'plain'), { normalizer: sequence('normalizers', { type: 'Lowercase' }, ...(bits & 4 ? [{ type: 'Prepend', prepend: '\u2581' }, toSigns] : [])), ...seen(bpe()),
            added_tokens: ['<mask>', 'Hello', 'THE', 'lo', '</s>', '\u00e9', '  '].map(content => token(content, options)) });
    }
add('added in two ways', { normalizer: bert({}), model: wordLevel(), pre_tokenizer: { type: 'BertPreTokenizer' }, added_tokens: [token('<mask>', { lstrip: true }), token('Hello', { special: false, normalized: true }), token('Hello', { special: false, normalized: true }),
    token('hello the', { special: false }), token('the', { special: true, normalized: true, single_word: true }), token('</s>', { rstrip: true }), token('</s>', { rstrip: true }), token('I', { special: false })] });
const decoders = { CTC: { type: 'CTC', pad_token: 'l', word_delimiter_token: ' ', cleanup: true }, Strip: { type: 'Strip', content: 'l', start: 1, stop: 0 }, 'Metaspace never': metaspace('never', true), none: null, 'ByteLevel of text': byteLevel(true, true),
    Replace: sequence('decoders', replace(/[aeiou]+/, '-'), replace('\u2581', ' ')), WordPiece: { type: 'WordPiece', prefix: 'l', cleanup: true } };
for (const [name, decoder] of Object.entries(decoders))
    add('decoder ' + name, { normalizer: toSigns, decoder, model: bpe() });

const escape = s => JSON.stringify(s).replace(/[^\x20-\x7E]/g, u => '\\u' + u.charCodeAt(0).toString(16).padStart(4, '0'));
const lines = [];
for (const [name, document] of Object.entries(documents)) {
    const tokenizer = Tokenizer.fromString(JSON.stringify(document)), cases = [];
    for (const text of texts) {
        let ids;
        try {
            ids = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
        } catch (e) {
            throw new Error(`${name}, ${JSON.stringify(text)}: ${e.message}`);
        }
        cases.push(`[${JSON.stringify(ids)},${escape(await tokenizer.decode(ids, false))}]`);
    }
    lines.push(`{"name":${escape(name)},"document":${escape(document)},\n"cases":[${cases.join(',')}]}`);
}
fs.writeFileSync('tests/goldens/tokenizer_json/cases.json', `{"texts":${escape(texts)},\n"documents":[\n${lines.join(',\n')}\n]}\n`);
console.log(`${lines.length} documents, ${texts.length} texts`);
