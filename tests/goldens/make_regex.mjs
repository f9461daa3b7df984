// Makes tests/goldens/tokenizer/regex_cases.json: patterns, texts and the matches that Hugging Face's tokenizers (npm package tokenizers 0.23.2, which has
// Oniguruma inside) finds, in UTF-16 characters; null where it refuses the pattern. Run in a folder with the package installed:
// node .../make_regex.mjs OUT [COUNT [SEED]]; with COUNT that many random cases instead.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const { Tokenizer } = createRequire(process.cwd() + '/')('tokenizers');
const build = Regex => Tokenizer.fromString(JSON.stringify({
    version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, post_processor: null, decoder: null,
    pre_tokenizer: { type: 'Split', pattern: { Regex }, behavior: 'Removed', invert: true }, model: { type: 'WordLevel', vocab: { '<u>': 0 }, unk_token: '<u>' },
}));
async function matches(tokenizer, text) {
    const units = [0];
    for (const character of text)
        units.push(units.at(-1) + character.length);
    const encoding = await tokenizer.encode(text, null, { addSpecialTokens: false });
    return encoding.getOffsets().map(([start, end]) => [units[start], units[end]]);
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", before = '[^\\r\\n\\p{L}\\p{N}]?', high = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]', low = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const spaces = '|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+', noHan = s => s.replace(']', '&&[^\\p{Han}]]');
const published = [
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    `${contractions}|${before}\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*${spaces}`,
    `${contractions}|${before}\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*${spaces}`,
    `${before}${high}*${low}+${contractions}?|${before}${high}+${low}*${contractions}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*${spaces}`,
    `${before}${high}*${low}+|${before}${high}+${low}*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*${spaces}`,
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
    `\\p{Han}+|${before}${noHan(high)}*${noHan(low)}+${contractions}?|${before}${noHan(high)}+${noHan(low)}*${contractions}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*${spaces}`,
    `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*${spaces}`,
    '[一-龥぀-ゟ゠-ヿ]+', '\\p{N}{1,3}', '[0-9][0-9][0-9]', ' ?[^(\\s|[.,!?…。，、।۔،])]+', '\\d{1,3}(?=(?:\\d{3})*\\b)', '(?=(\\d{3})+(?!\\d))', '[^\\n]+|[\\n]+',
    '\\s?[!-/:-~！-／：-～‘-‟　-。]+', '\\s+$', "[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}",
];
const texts = [
    "I'm here, it's 12345 o'clock: DON'T you'LL we'Ve 'ſ  \n\n  end ", 'a\r\nb\n \t\n  c   ', '中文字符和English混合，123。漢々〇ひらがなカタカナー 한국어', '𝒜𝓑𝓒 😀😃👍🏽 𠀀𠀁 𞤀𞤥',
    'café e\u0301a\u0308 नमस्ते สวัสดีครับ مرحبا ١٢٣٤ שלום', 'x²½ⅳ①٣ 1234567 1 12 123 1234', '... --- !!! $$$ <=> (a) [b] {c} "d" `e` ~f~ @g #h %i ^j *k _l_', 'HTTPServer camelCase XMLHttp ǅungla ΣΊΣΥΦΟΣ straße',
    'a\u0085b\u00a0c\u2028d\u001ce\u200bf\u180eg\ufeffh\u000bi\u3000j', '', ' ', '\n', "'", "''s 's'S", 'tab\ttab\t\t\tend\n\n\n',
];
const single = [
    ['\\p{N}{1,3}+', '1234567 12'], ['a++b|a', 'aaab aa'], ['a?+a', 'a'], ['a*+b|a', 'aab aa'], ['(?>a+)b|a', 'aab aa'], ['(?>a|ab)c', 'abc ac'], ['a{2}+', 'aaaaa'], ['xa{2}?', 'xa xaa'], ['a{2,3}?', 'aaaa'], ['a{,2}', 'aaaa'], ['a{,}', 'a{,}'], ['a{2', 'a{2'],
    ['a{0}b', 'b'], ['a**', 'aaa'], ['a+?+', 'aaa'], ['a??b', 'ab'], ['a*?b', 'aab'], ['[a-z&&[^c]]+', 'abcd'], ['[a-z&&aeiou]+', 'abce'], ['[^a-z&&aeiou]+', 'abce1'], ['[a&&b]', 'ab'], ['[a-z&&^c]+', 'abc^'], ['[a[bc]d]+', 'abcde'], ['[^a[bc]d]+', 'abcde'],
    ['[a[^bc]]+', 'abcd'], ['[]a]+', 'a]b'], ['[^]]+', 'a]'], ['[a-]+', 'a-b'], ['[-a]+', 'a-b'], ['[--/]+', '-./0'], ['[a-c-e]+', 'abcd-e'], ['[\\w-]+', 'a-.'], ['[\\w-z]', 'a'], ['[a-\\d]', 'a'], ['[b-a]', 'a'], ['[]', 'a'], ['[a', 'a'], ['a]', 'a]'],
    ['\\h+', 'abcg 0F z'], ['\\H+', 'abcg 0F z'], ['[[:alpha:]]+', 'abc1é中\u0301x'], ['[[:punct:]]+', 'a$+<=>^`|~!?。€'], ['\\p{Punct}+', 'a$!'], ['[[:alnum:]]+', 'a1_²'], ['[[:digit:]]+', '1٣²'], ['[[:space:]]+', 'a \u0085'], ['[[:blank:]]+', '\t \u00a0\n'],
    ['[[:cntrl:]]+', '\u0001\u0085a'], ['[[:graph:]]+', 'a\u0301 \u200b\ue000'], ['[[:print:]]+', 'a\u0301 \u2028\u200b\t'], ['[[:upper:]]+', 'AⅠⒶa'], ['[[:lower:]]+', 'aªⅰⓐA'], ['[[:xdigit:]]+', 'fFg'], ['[[:ascii:]]+', 'aé'], ['[[:word:]]+', 'a_-'], ['[[:^alpha:]]+', 'a1'],
    ['[[:foo:]]', 'f'], ['[[:alpha]]+', 'a:'], ['[:alpha:]+', 'a:b'], ['\\w+', 'a_b\u200dc\u0301d٣‿x'], ['\\W+', 'a -b'], ['\\d+', '1٣²'], ['\\D+', '1٣²'], ['\\s+', 'a\u0085b\u00a0c\u2028d\u001ce\u200bf\u180eg\ufeffh\u000bi\u001fj'],
    ['\\p{Han}+', '中文々〇あ𠀀'], ['\\p{Hani}+', '中a'], ['\\p{Hiragana}+', 'あーア'], ['\\p{Katakana}+', 'アー'], ['\\p{Hangul}+', '한국 ㄱᄀ'], ['\\p{Cyrillic}+', 'жЖж'], ['\\p{Arabic}+', 'مر ح١'], ['\\p{Thai}+', 'สวั ๑'], ['\\p{Latin}+', 'aéㅏªK'], ['\\p{Greek}+', 'αω΄ϴ'],
    ['\\p{Hebrew}+', 'שלa'], ['\\p{Devanagari}+', 'नमस्ते'], ['\\p{Bengali}', 'আ'], ['\\p{Common}+', '1 ,a'], ['\\p{Inherited}', 'e\u0301'], ['\\p{Old_Italic}', '𐌀'], ['\\p{oldITALIC}', '𐌀'], ['\\p{Emoji}', '😀1'], ['\\p{Extended_Pictographic}', '😀1'], ['\\p{ lower case letter }', 'aA'],
    ['\\p{^L}', 'a1'], ['\\P{L}', 'a1'], ['\\P{^L}', 'a1'], ['[^\\P{L}a]+', 'abc'], ['\\p{LC}+', 'aAª'], ['\\p{Any}+', 'a\n'], ['\\p{Assigned}+', 'a'], ['\\p{Cn}', '\u0378a'], ['\\p{Co}', '\ue000'], ['\\p{foo}', 'a'], ['\\p{Script=Foo}', 'a'], ['\\p{L', 'a'], ['\\pL+', 'apL'],
    ['(?i:\'s)', "'s 'S 'ſ 'x"], ['(?i:k)+', 'kKKa'], ['(?i:[^k])+', 'kKKab'], ['(?i:[a-z])+', 'ſKab1'], ['(?i:\\p{Lu})+', 'aA'], ['(?i:[\\p{Lu}])+', 'aA1'], ['(?i:[^\\p{Lu}])+', 'aA1'], ['(?i)σ', 'σςΣs'], ['(?i)i', 'iIıİ'], ['(?i)ı', 'iIıİ'], ['(?i)å', 'åÅÅ'], ['(?i)µ', 'µμΜ'],
    ['(?i)ꭰ', 'Ꭰꭰ'], ['(?i)𐐀', '𐐀𐐨'], ['a(?i)b|c', 'aB C c ac aC'], ['(?i:a(?-i)b)', 'AB Ab ab'], ['(?i-m:a)', 'A'], ['(?-i:a)', 'Aa'], ['.+', 'a\rb\nc\u2028d\u0085e'], ['(?m:.)+', 'a\nb'], ['(?im:a.)', 'A\n'], ['^.', 'ab\ncd\n'], ['.$', 'ab\ncd\n'], ['.\\z', 'ab\ncd\n'],
    ['\\n\\Z', 'a\n'], ['d\\Z', 'cd\n'], ['\\Aa', 'aa'], ['^', 'a\nb'], ['\\bfoo\\b', 'foo foobar _foo é·foo'], ['\\Boo', 'foo oo'], ['(?<=a|bc)x', 'ax bcx cx'], ['(?<=a+)x', 'aax x'], ['(?<!a|bc)x', 'ax bx bcx'], ['(?<=\\b)x', 'x ax'], ['(?<=^)b', 'b\nb'], ['(?<=😀)x', '😀x x'],
    ['a(?=b)', 'ab ac'], ['a(?!b)', 'ab ac'], ['\\R', 'a\r\nb\nc\u2028d\r'], ['\\r\\R', '\r\n'], ['\\N+', 'a\r\n'], ['\\O', '\n'], ['(?x) a #c\n b', 'ab'], ['(?x)[a b]+', 'a b'], ['(?x)a\\ b', 'a b'], ['a(?#c)+', 'aa'], ['(a|ab)(c|bcd)(d*)', 'abcd'], ['(?:a|b*)*c', 'abc'],
    ['(?:a*)*b', 'aab'], ['x*', 'axxb'], ['a|', 'ba'], ['|a', 'a'], ['()', 'a'], ['(?<n>a)', 'a'], ["(?'n'a)", 'a'], ['\\x{4e00}+', '一一a'], ['\\x41', 'A'], ['\\u0041', 'A'], ['\\u12', 'a'], ['\\041', '!'], ['\\0', '\0'], ['\\cA', '\u0001'], ['\\e', '\u001b'], ['\\a\\f\\v', '\u0007\f\v'],
    ["\\'", "'"], ['\\/', '/'], ['\\q', 'q'], ['[\\b]', '\b'], ['[\\R]', 'R\r'], ['[\\x{1F600}-\\x{1F64F}]+', '😀😃a'], ['😀+', '😀😀'], ['[😀-😏]+', '😀😃'], ['[^\\n]{3}', 'a😀b'], ['\\p{L}', '𝒜'], ['(', 'a'], [')', 'a'], ['a)', 'a'], ['(?', 'a'], ['(?:a', 'a'], ['*a', 'a'], ['a|*', 'a'],
    ['{1}', 'a'], ['{', '{'], ['^*', 'a'], ['(?=a)*', 'a'], ['\\b+', 'a'], ['a\\', 'a'], ['a{100001}', 'a'], ['(?a)b', 'b'], ['(?^:a)', 'a'], ['(?#a', 'a'],
];

let state = Number(process.argv[4] ?? 1);
const random = n => (state = (state * 1103515245 + 12345) % 2147483648, Math.floor(state / 65536) % n), pick = list => list[random(list.length)];
const atoms = ['a', 'b', 'é', 'ß', '中', '😀', ' ', '1', '\\p{L}', '\\p{N}', '\\p{Lu}', '\\p{Han}', '\\P{L}', '\\s', '\\S', '\\d', '\\w', '\\W', '\\h', '.', '[ab]', '[^a]', '[\\p{L}&&[^a-z]]', '[^\\s\\p{L}]', '[[:alpha:]1]', '[^[:punct:]]', '\\n', '\\R', '[A-Z]', '[a-c-]', 'k'];
const places = ['^', '$', '\\b', '\\B', '\\z', '\\A', '(?=', '(?!', '(?<=a|b', '(?<!\\s'];
const repeats = ['?', '*', '+', '??', '*?', '+?', '?+', '*+', '++', '{2}', '{1,2}', '{2,}', '{1,3}?', '{0,2}+', '{2}?'];
function expression(depth) {
    let s = '';
    for (let n = 1 + random(3); n > 0; n--) {
        const kind = random(10);
        if (kind === 0) {
            const place = pick(places);
            s += place.startsWith('(?<') ? place + ')' : place[0] === '(' ? place + expression(depth + 1) + ')' : place;
        } else {
            const group = depth < 3 && random(4) === 0;
            s += group ? pick(['(', '(?:', '(?>', '(?i:']) + expression(depth + 1) + ')' : pick(atoms);
            if (random(2) === 0)
                s += pick(repeats);
        }
        if (random(6) === 0)
            s += '|';
    }
    return s;
}
const alphabet = [...'aabbAk Kéß中😀1 2\n\r_.,!\tZ𝒜٣ſ\u0301'];
const randomText = () => Array.from({ length: random(16) }, () => pick(alphabet)).join('');

const cases = [];
async function add(pattern, list) {
    let tokenizer = null;
    try {
        tokenizer = build(pattern);
    } catch {
        if (list.length > 1)
            return;
    }
    const found = [];
    for (const text of list)
        found.push([text, tokenizer && await matches(tokenizer, text)]);
    cases.push([pattern, found]);
}
const count = Number(process.argv[3] ?? 0);
if (count === 0) {
    for (const pattern of published)
        await add(pattern, texts);
    for (const [pattern, text] of single)
        await add(pattern, [text]);
}
for (const target = cases.length + (count || 150); cases.length < target;)
    await add(expression(0), [randomText(), randomText(), randomText()]);
const escape = value => JSON.stringify(value).replace(/[^\x20-\x7E]/g, u => '\\u' + u.charCodeAt(0).toString(16).padStart(4, '0'));
fs.writeFileSync(process.argv[2], '[\n' + cases.map(escape).join(',\n') + '\n]\n');
