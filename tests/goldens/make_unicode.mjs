// Makes src/Nano.Model/Tokenizers/unicode.txt (scripts and properties that .NET does not know) and tests/goldens/tokenizer/case_groups.json (characters that
// are one without case) from the Unicode data inside Node. Run from the repository's root: node tests/goldens/make_unicode.mjs
import fs from 'node:fs';

const scripts = `Adlam=Adlm Ahom Anatolian_Hieroglyphs=Hluw Arabic=Arab Armenian=Armn Avestan=Avst Balinese=Bali Bamum=Bamu Bassa_Vah=Bass Batak=Batk Bengali=Beng
Beria_Erfe=Berf Bhaiksuki=Bhks Bopomofo=Bopo Brahmi=Brah Braille=Brai Buginese=Bugi Buhid=Buhd Canadian_Aboriginal=Cans Carian=Cari Caucasian_Albanian=Aghb Chakma=Cakm
Cham Cherokee=Cher Chorasmian=Chrs Common=Zyyy Coptic=Copt Cuneiform=Xsux Cypriot=Cprt Cypro_Minoan=Cpmn Cyrillic=Cyrl Deseret=Dsrt Devanagari=Deva Dives_Akuru=Diak
Dogra=Dogr Duployan=Dupl Egyptian_Hieroglyphs=Egyp Elbasan=Elba Elymaic=Elym Ethiopic=Ethi Garay=Gara Georgian=Geor Glagolitic=Glag Gothic=Goth Grantha=Gran Greek=Grek
Gujarati=Gujr Gunjala_Gondi=Gong Gurmukhi=Guru Gurung_Khema=Gukh Han=Hani Hangul=Hang Hanifi_Rohingya=Rohg Hanunoo=Hano Hatran=Hatr Hebrew=Hebr Hiragana=Hira
Imperial_Aramaic=Armi Inherited=Zinh Inscriptional_Pahlavi=Phli Inscriptional_Parthian=Prti Javanese=Java Kaithi=Kthi Kannada=Knda Katakana=Kana Kawi Kayah_Li=Kali
Kharoshthi=Khar Khitan_Small_Script=Kits Khmer=Khmr Khojki=Khoj Khudawadi=Sind Kirat_Rai=Krai Lao=Laoo Latin=Latn Lepcha=Lepc Limbu=Limb Linear_A=Lina Linear_B=Linb Lisu
Lycian=Lyci Lydian=Lydi Mahajani=Mahj Makasar=Maka Malayalam=Mlym Mandaic=Mand Manichaean=Mani Marchen=Marc Masaram_Gondi=Gonm Medefaidrin=Medf Meetei_Mayek=Mtei
Mende_Kikakui=Mend Meroitic_Cursive=Merc Meroitic_Hieroglyphs=Mero Miao=Plrd Modi Mongolian=Mong Mro=Mroo Multani=Mult Myanmar=Mymr Nabataean=Nbat Nag_Mundari=Nagm
Nandinagari=Nand New_Tai_Lue=Talu Newa Nko=Nkoo Nushu=Nshu Nyiakeng_Puachue_Hmong=Hmnp Ogham=Ogam Ol_Chiki=Olck Ol_Onal=Onao Old_Hungarian=Hung Old_Italic=Ital
Old_North_Arabian=Narb Old_Permic=Perm Old_Persian=Xpeo Old_Sogdian=Sogo Old_South_Arabian=Sarb Old_Turkic=Orkh Old_Uyghur=Ougr Oriya=Orya Osage=Osge Osmanya=Osma
Pahawh_Hmong=Hmng Palmyrene=Palm Pau_Cin_Hau=Pauc Phags_Pa=Phag Phoenician=Phnx Psalter_Pahlavi=Phlp Rejang=Rjng Runic=Runr Samaritan=Samr Saurashtra=Saur Sharada=Shrd
Shavian=Shaw Siddham=Sidd Sidetic=Sidt SignWriting=Sgnw Sinhala=Sinh Sogdian=Sogd Sora_Sompeng=Sora Soyombo=Soyo Sundanese=Sund Sunuwar=Sunu Syloti_Nagri=Sylo Syriac=Syrc
Tagalog=Tglg Tagbanwa=Tagb Tai_Le=Tale Tai_Tham=Lana Tai_Viet=Tavt Tai_Yo=Tayo Takri=Takr Tamil=Taml Tangsa=Tnsa Tangut=Tang Telugu=Telu Thaana=Thaa Thai Tibetan=Tibt
Tifinagh=Tfng Tirhuta=Tirh Todhri=Todr Tolong_Siki=Tols Toto Tulu_Tigalari=Tutg Ugaritic=Ugar Vai=Vaii Vithkuqi=Vith Wancho=Wcho Warang_Citi=Wara Yezidi=Yezi Yi=Yiii
Zanabazar_Square=Zanb`.split(/\s+/).map(name => [name.split('='), `Script=${name.split('=')[0]}`]);
const properties = ['Alphabetic=Alpha', 'Lowercase=Lower', 'Uppercase=Upper', 'Ideographic=Ideo', 'Emoji', 'Emoji_Presentation=EPres', 'Emoji_Modifier=EMod',
    'Extended_Pictographic=ExtPict'].map(name => [name.split('='), name.split('=')[0]]);

const hex = c => c.toString(16).toUpperCase();
const isWhole = c => c < 0xD800 || c > 0xDFFF;
const lines = [`Unicode ${process.versions.unicode}: a line each: names, a colon, ranges of characters`];
for (const [names, property] of [...properties, ...scripts]) {
    const is = new RegExp(`^\\p{${property}}$`, 'u'), ranges = [];
    for (let c = 0; c < 0x110000; c++) {
        if (!isWhole(c) || !is.test(String.fromCodePoint(c)))
            continue;
        if (ranges.length && ranges.at(-1)[1] === c - 1)
            ranges.at(-1)[1] = c;
        else
            ranges.push([c, c]);
    }
    lines.push(`${names.join(' ')}: ${ranges.map(([a, b]) => a === b ? hex(a) : `${hex(a)}-${hex(b)}`).join(' ')}`);
}
fs.writeFileSync('src/Nano.Model/Tokenizers/unicode.txt', lines.join('\n') + '\n');

const cased = [];
for (let c = 0; c < 0x110000; c++) {
    const s = isWhole(c) ? String.fromCodePoint(c) : '';
    if (s && (/\p{Changes_When_Casemapped}|\p{Changes_When_Casefolded}/u.test(s)))
        cased.push(c);
}
const text = String.fromCodePoint(...cased), groups = [], seen = new Set();
for (const c of cased) {
    if (seen.has(c))
        continue;
    const group = [...text.matchAll(new RegExp(`\\u{${hex(c)}}`, 'giu'))].map(match => match[0].codePointAt(0));
    group.forEach(member => seen.add(member));
    if (group.length > 1)
        groups.push(group);
}
fs.writeFileSync('tests/goldens/tokenizer/case_groups.json', JSON.stringify(groups).replaceAll('],[', '],\n[') + '\n');
