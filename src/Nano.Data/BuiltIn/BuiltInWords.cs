namespace Nano;

/// <summary>
/// The words of the built-in corpus, sorted by what they are and how they are stressed, so that
/// <see cref="BuiltInPhrases"/> scan. Plain names are one stressed syllable; a 2 behind an
/// adjective or noun means stressed-unstressed, behind a verb unstressed-stressed.
/// </summary>
internal static class BuiltInWords
{
    /// <summary>Words by class.</summary>
    public static readonly Dictionary<string, string[]> Classes = new()
    {
        ["noun"] = Split(
            "king queen crown throne sword shield heart hand eye tongue brow blood breath death life soul ghost "
            + "grave tomb bell book page",
            "word name shame fame oath vow pledge lie truth dream sleep night day dawn dusk hour year moon sun star "
            + "sky cloud storm rain",
            "wind snow frost fire flame ash dust earth stone rock sea tide wave ship sail shore stream well field "
            + "hill wood tree leaf thorn",
            "rose flower seed fruit wine bread feast cup knife rope chain ring glass gold coin purse debt price "
            + "gift prayer hymn song harp",
            "drum horn war peace siege wall gate tower door hall bed torch knight squire lord dame page priest monk "
            + "nun fool knave thief spy",
            "slave foe friend child son babe wife bride wolf hound hawk crow dove lamb horse spur hate love grief "
            + "joy fear hope rage pride"),
        ["noun2"] = Split(
            "sorrow honour mother father brother daughter sister master servant soldier lover maiden river mountain "
            + "garden castle candle",
            "shadow mirror letter story kingdom forest ocean tempest winter summer morning evening falcon raven "
            + "lion serpent spirit captain",
            "beggar prophet widow orphan traitor treasure danger fortune folly reason treason feather weapon banner "
            + "trumpet altar chamber",
            "window shepherd meadow thunder anger patience virtue mercy passion beauty marriage poison dagger "
            + "council husband cousin stranger",
            "pilgrim hunter sailor tyrant music laughter silence slumber hunger plenty harvest autumn wisdom "
            + "madness justice vengeance"),
        ["adj"] = Split(
            "sweet false true cold brave pale proud dark fair fierce kind sad wild bright bold bleak blind deep "
            + "dull faint fond foul free",
            "fresh glad grim harsh keen lost mad mild old poor pure rich sharp sick slow soft sour stern strange "
            + "strong swift vain vile warm",
            "weak wise young deaf dumb lame rude rash just plain close whole great small high low dead still"),
        ["adj2"] = Split(
            "gentle noble bitter golden silent broken weary humble cruel tender holy hollow gracious wretched royal "
            + "ancient mighty merry",
            "heavy lonely crooked faithful fearful foolish frozen guilty hungry honest idle jealous lofty loyal "
            + "lusty modest mortal naked",
            "narrow painted patient perfect precious ragged rotten sacred secret silver simple solemn stubborn "
            + "subtle sudden sullen valiant",
            "wanton wicked worthy barren blessed borrowed careless common constant crimson dismal distant drowsy "
            + "empty fatal fickle fruitful",
            "graceful happy hidden lawful living nimble pleasant purple restless rugged scornful shallow shameful "
            + "slender stormy wandering"),
        ["verb"] = Split(
            "love seek find hold keep lose mourn serve fear hear call bring scorn guard strike burn mock praise "
            + "curse bear win sell buy bind",
            "crown save slay kill steal mend trust leave teach blame pluck drown spurn shun claim rule stain heal "
            + "cheer tame wake charm chain",
            "stir feed lead meet hide hurt learn know see break mar haunt greet judge"),
        ["verbs"] = Split(
            "loves seeks finds holds keeps mourns serves fears hears calls brings scorns guards strikes burns mocks "
            + "bears wins sells buys",
            "binds crowns saves slays kills steals mends trusts leaves blames plucks drowns spurns shuns claims "
            + "rules stains heals cheers",
            "tames wakes charms chains stirs feeds leads meets hides hurts learns knows sees breaks mars "
            + "haunts greets"),
        ["verbed"] = Split(
            "loved sought found held kept lost mourned served feared heard called brought scorned struck burned "
            + "mocked praised cursed won",
            "sold bought bound crowned saved killed left taught blamed plucked drowned spurned shunned claimed "
            + "ruled stained healed cheered",
            "tamed charmed chained stirred fed led met hid hurt learned marred judged"),
        ["verb2"] = Split(
            "betray adore desire despise destroy defend obey pursue deny conceal forsake command condemn reveal "
            + "proclaim repay restore deceive",
            "receive behold bemoan beguile avenge renew endure embrace enjoy remove recall forgive ensnare destroy "
            + "implore"),
        ["verbs2"] = Split(
            "betrays adores desires destroys defends obeys pursues denies conceals forsakes commands condemns "
            + "reveals proclaims repays",
            "restores deceives receives beholds bemoans beguiles renews endures enjoys removes recalls forgives "
            + "ensnares implores"),
        ["intr"] = Split("weep sleep die fade live sigh stand kneel burn ride speak sing dream wait pray turn bleed "
            + "mourn creep swear fall rise yield laugh fight"),
        ["intrs"] = Split("weeps sleeps dies fades lives sighs stands kneels burns rides speaks sings dreams waits "
            + "prays turns bleeds mourns creeps swears falls yields laughs fights"),
        ["intring"] = Split(
            "weeping sleeping dying fading sighing standing kneeling burning riding speaking singing dreaming "
            + "waiting praying bleeding mourning laughing fighting"),
        ["adv2"] = ["to-night", "at last", "in vain", "alone", "indeed", "again", "for aye", "once more", "in haste",
            "at dawn", "by day", "by night", "with tears", "too late", "too soon", "for love", "for shame", "for gold"],
        ["oath"] = ["my troth", "this hand", "my life", "the rood", "this light", "my faith", "my sword", "these tears",
            "the stars", "my soul", "all saints"],
    };

    /// <summary>Families of one-syllable nouns that rhyme, for couplets.</summary>
    public static readonly string[][] Rhymes =
    [
        Split("night light sight might knight spite"), Split("day way clay play hay bay"),
        Split("heart part art dart cart"), Split("tear fear spear year ear"), Split("blood flood mud bud"),
        Split("crown town frown gown"), Split("grave slave wave cave knave"), Split("dove love glove"),
        Split("pride bride tide side"), Split("hand land sand band"), Split("eye sky sigh lie spy cry"),
        Split("king ring thing spring wing string"), Split("name shame fame flame game"),
        Split("stone throne bone moan"), Split("bed head thread bread"), Split("gate fate hate state mate"),
        Split("tale gale vale veil sail"), Split("grief thief leaf chief"), Split("dust trust lust rust"),
        Split("tree sea knee bee plea"), Split("moon noon boon"), Split("bell hell well spell shell"),
        Split("brow vow bough plough"), Split("gold cold fold hold"), Split("wine vine shrine sign"),
        Split("fire lyre sire choir"), Split("rose nose prose close"), Split("tomb room doom gloom bloom"),
        Split("song wrong throng"), Split("glass grass pass"),
    ];

    /// <summary>Men's names, the kings first, then the dukes.</summary>
    public static readonly string[] Men = Split(
        "Edric Osmund Conrad Lucan Gerard Merrick Corin Hubert Rufus Silvan Godwin Roland Tristan Walter Edmund "
        + "Varro Hector Aldous Lennard",
        "Dorant Martin Jasper Quentin Valens");

    /// <summary>Women's names, the queens first, then the ladies.</summary>
    public static readonly string[] Women = Split(
        "Helen Isbel Clara Phoebe Nerys Hester Agnes Alys Juno Bridget Lettice Ursel Sybil Flora Daphne Ellen "
        + "Audrey Maudlin Xanthe");

    /// <summary>
    /// Names of commoners as the page prints them; other characters use the last word.
    /// </summary>
    public static readonly string[] Commoners =
    [
        "First Soldier", "Second Soldier", "First Keeper", "Second Keeper", "Old Shepherd", "Young Sailor",
        "Third Neighbour", "First Neighbour", "Herald", "Porter", "Captain", "Boatman", "Steward", "Gaoler", "Beggar",
        "Friar",
    ];

    /// <summary>Towns.</summary>
    public static readonly string[] Places =
        Split("Harrow Carrick Marlow Dunmere Elmsford London Florence Arden Thornby Wendle Yarrow Kestrel Overton "
        + "Quarley Ravenspur Brindle");

    private static string[] Split(params string[] lines) => [.. lines.SelectMany(line => line.Split(' ')).Distinct()];
}
