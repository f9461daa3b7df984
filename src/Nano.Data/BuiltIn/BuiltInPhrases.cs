namespace Nano;

/// <summary>
/// The sentences of the built-in corpus: a context-free grammar in which {name} stands for a
/// phrase, a class of <see cref="BuiltInWords"/>, or something the scene decides: {you} is spoken
/// to and is a {lord}; {them} is absent and is a {he}, {him}; {place}; {rhyme}. Whole lines are
/// five iambs (weak-strong), give or take an inverted or an extra syllable. Digits behind phrases
/// count syllables; | begins a new line.
/// </summary>
internal static class BuiltInPhrases
{
    /// <summary>Phrases by name.</summary>
    public static readonly Dictionary<string, string[]> Rules = new()
    {
        ["np2"] = ["the {noun}", "the {noun}", "my {noun}", "thy {noun}", "his {noun}", "this {noun}", "a {noun}",
            "no {noun}", "her {noun}"],
        ["np4"] =
        [
            "the {adj2} {noun}", "the {adj2} {noun}", "my {adj2} {noun}", "thy {adj2} {noun}", "his {adj2} {noun}",
            "this {adj2} {noun}", "a {adj2} {noun}", "no {adj2} {noun}", "my {noun2}'s {noun}", "thy {noun2}'s {noun}",
            "the {noun2}'s {noun}", "the {noun} of {noun}", "our {adj2} {noun}", "that {adj2} {noun}",
            "her {noun2}'s {noun}",
        ],
        ["vp6"] =
        [
            "will {verb} {np4}", "shall {verb} {np4}", "hath {verbed} {np4}", "doth {verb} {np4}", "{verbs2} {np4}",
            "{verbs2} {np4}", "{verbs2} my {noun} and {noun}", "hath made me {verb} {np2}", "is but a {adj2} {noun}",
            "is not a {noun} to {verb}", "can never {verb} {np2}", "must {intr} before the {noun}",
            "lies {intring} in the {noun}", "was ever {adj} and {adj}", "would have me {verb} {np2}",
            "is {verbed} with {adj2} {noun}", "hath neither {noun} nor {noun}", "is {adj2}, {adj}, and {adj}",
        ],
        ["adv4"] =
        [
            "by {noun} and {noun}", "upon the {noun}", "before the {noun}", "within my {noun}", "in {adj2} {noun}",
            "with {adj2} {noun}", "without a {noun}", "for {adj2} {noun}", "in all my {noun}", "from {noun} to {noun}",
            "beyond the {noun}", "in spite of {noun}",
        ],
        ["clause4"] =
        [
            "I {verb} {np2}", "thou art my {noun}", "the {noun} is {adj}", "the {noun} is {verbed}",
            "we {verb} no {noun}", "he {verbed} {np2}", "thou hast no {noun}", "there is no {noun}",
            "the {noun} doth {intr}", "all men must {intr}", "my {noun} is {adj}",
        ],
        ["clause6"] =
        [
            "I {verb} {np4}", "I will not {verb} {np2}", "thou shalt not {verb} {np2}", "we must not {verb} {np2}",
            "thou hast my {noun} and {noun}", "thou art a {adj2} {noun}", "there is no {noun} but {noun}",
            "the {noun} hath {verbed} {np2}", "my {noun} is {adj2} still", "the {adj2} {noun} is {adj}",
            "I have no {adj2} {noun}", "let {noun2} {verb} {np2}", "let us be {adj} and {adj}", "he {verbs} {np4}",
            "we {verbed} {np4}", "I never {verbed} {np2}", "'tis {adj} to {verb} {np2}",
            "what {noun} is this, what {noun}", "she {verbs} {np4}", "I cannot {verb} {np2}",
            "I am too {adj} to {intr}", "thou know'st not how to {intr}", "I saw {np4}",
        ],
        ["tail4"] =
        [
            "for all his {noun}", "by {noun} and {noun}", "and all is {adj}", "or let me {intr}", "and not to {intr}",
            "nor {adj} nor {adj}", "and there's an end", "so help me heaven", "as I do thee", "I do believe",
            "as all men know", "though {noun2} {intr}", "before the {noun}", "without a {noun}", "upon my {noun}",
            "O gentle {you}", "and so farewell",
        ],
        ["line"] =
        [
            "{np4} {vp6}", "{np4} {vp6}", "{np4} {vp6}", "{adv4} {clause6}", "{adv4} {clause6}", "{clause6}, {tail4}",
            "{clause6}, {tail4}", "{clause4}, and {clause6}", "{clause4}; {clause6}", "{clause4}: {clause6}",
            "{you}, {clause6} {adv2}", "O {you}, {clause6} {adv2}", "{clause6} of {noun} {adv2}",
            "by {oath}, {clause6} {adv2}", "nay, {you}, {clause6} {adv2}", "and yet {clause6} {adv2}",
            "I tell thee, {you}, that {np4} is {adj}", "in {place} {clause6} {adv2}",
            "but {them} {verbs2} {np4} {adv2}", "they say that {them} {verbs} {np4} {adv2}",
            "the {noun}, the {noun}, the {adj2} {noun} of {place}",
        ],
        ["pair"] =
        [
            "if thou wilt {verb} the {adj2} {noun} of {noun},|then will I {verb} {np4} {adv2}",
            "when {noun2} {verbs} the {adj2} {noun} of {noun},|{np4} {vp6}",
            "I am not of the {noun} that {verbs} {np2},|nor have I {verbed} {np4} {adv2}",
            "{np4}, which {verbed} {np4},|doth {intr} before the {noun} and {verb} {np2}",
            "O {you}, {you}, if the {noun} be {adj},|{np4} {vp6}",
            "thou {adj2} {noun}, thou {adj2} {noun} of {noun},|that {verbed} {np4} and {verbed} {np2}",
            "as {adj} as is the {noun} that {verbs} {np2},|so {adj} is {them}, and so {adj} {he} {intrs}",
            "had I the {noun} of {them}, or {his} {noun},|I would not {verb} {np4} {adv2}",
            "to {verb} the {noun} is but to {verb} {np2};|to {verb2} the {noun}, to {verb} {np4}",
            "there was a {noun} in {place}, {adj} and {adj},|who {verbed} {np4} {adv2}",
            "it is the {noun}, and not the {adj2} {noun},|that {verbs2} {np4} {adv2}",
            "though all the {noun} of {place} should {verb} {np2},|yet would I {verb} the {adj2} {noun} of {them}",
        ],
        ["couplet"] =
        [
            "{adv4} I {verb} my {adj2} {rhyme}", "{np4} will {verb} the {adj2} {rhyme}",
            "and {intr} I will, or {verb} the {adj2} {rhyme}", "so {noun2} {verbs} {np2} and {adj2} {rhyme}",
            "for what is {noun} without a {adj2} {rhyme}?", "there is no {noun} so {adj} as {adj2} {rhyme}",
            "let {noun2} {verb} {np2}, and {verb} the {rhyme}", "{clause6}, and all the {rhyme}",
            "{clause6}; farewell, my {rhyme}", "thus {them} shall {verb} the {noun}, and I the {rhyme}",
            "{np4} is but the {noun2}'s {rhyme}", "and every {noun} shall have a {adj2} {rhyme}",
            "till {np4} hath {verbed} the {adj2} {rhyme}", "no more of {noun}, no more of {adj2} {rhyme}",
        ],
        ["short"] =
        [
            "ay, my good {lord}.", "no, {you}, no.", "peace, {you}, peace!", "by {oath}, I will not.",
            "speak on, {you}.", "is {them} {adj}?", "{them} is {adj}.", "so said {np2}.",
            "what, {you}! art thou {adj}?", "not so, my {lord}.", "I know not, {you}.", "alas, {np2}!",
            "the {noun}? what {noun}?", "away, away!", "'tis {verbed}, my {lord}.", "I {verb} thee, {you}.",
            "O {adj2} {noun}!", "amen, say I.", "well said, good {you}.", "look where {he} {intrs}!", "how now, {you}!",
            "thou art too {adj}.", "give me {np2}.", "a {noun}, a {noun}!",
        ],
        ["greet"] =
        [
            "good morrow, {you}; hast thou {verbed} {np2}?", "well met, good {you}: whither with {np2}?",
            "all hail, my {lord}! {np4} is {adj}.", "who's there? What, {you}? Welcome here to {place}.",
            "how now, good {you}! How doth {np4}?", "come hither, {you}; I must {verb} {np2}.",
            "my {lord}, there is a {noun} that {intrs} in {place}.", "in {place} at last! I {verb} thee, gentle {you}.",
        ],
        ["exit"] =
        [
            "farewell, good {you}; now I {verb} {np2}.", "come, let us hence, and {verb} {np4}.",
            "I go to {place}, and there to {verb} {np2}.", "no more: to bed; the {noun} is {adj} {adv2}.",
            "lead on to {place}, and let the {noun} be {verbed}.", "adieu, my {lord}; remember {np4}.",
            "the {noun} doth call; I may no longer {intr}.", "get thee to {place}; I'll {verb} {np4}.",
        ],
        ["ask where"] =
        [
            "but tell me, {you}, where is {them} now?", "O where is now the {adj2} {noun} of {them}?",
            "where lies the {noun} that {verbed} {np4}?", "know'st thou where {them} {intrs}, and where {np2}?",
            "where hast thou left {np4} of {place}?",
        ],
        ["answer where"] =
        [
            "{he} {intrs} in {place}, by {np4}", "not far from here, beyond the {adj2} {noun}",
            "upon the {noun}, beneath the {adj2} {noun}", "I left {him} {intring} by the {noun} of {noun}",
            "in {place}, my {lord}, where {np4} {intrs}", "where {noun} and {noun} do {verb} {np4}",
        ],
        ["ask who"] =
        [
            "what man is he that {verbs} {np4}?", "now who hath {verbed} the {adj2} {noun} of {noun}?",
            "who told thee, {you}, of {np4}?", "say, who shall {verb} {np4} {adv2}?",
            "who {verbed} the {noun}, and who the {adj2} {noun}?",
        ],
        ["answer who"] =
        [
            "'twas {them}, {he} that {verbed} {np4}", "it was the {noun2} of the {adj2} {noun}",
            "no man but {them}, {adj} as {np4}", "'twas I, my {lord}; I {verbed} {np4}",
            "one {adj} and {adj}, {them} is {his} name",
        ],
        ["ask why"] =
        [
            "and wherefore dost thou {verb} {np4}?", "why should I {verb} the {noun}, or {verb} {np2}?",
            "why {intrs} {them}, and why {np4}?", "but why, good {you}, must we {verb} {np2}?",
            "why art thou {adj}, and why so {adj}, my {lord}?",
        ],
        ["answer why"] =
        [
            "because the {noun} hath {verbed} {np4}", "for that I {verb} the {adj2} {noun} of {noun}",
            "because {he} {verbs} {np4} {adv2}", "for {noun}, my {lord}, and for {np4}",
            "ask not; the cause is {adj} as {np4}",
        ],
        ["ask if"] =
        [
            "and art thou he that {verbs} {np4}?", "O wilt thou {verb} the {adj2} {noun} of {noun}?",
            "and is it true that {them} {verbs} {np2}?", "hast thou not {verbed} {np4} {adv2}?",
            "dost thou not {verb} {np4}, good {you}?", "shall {them} {verb} {np4} {adv2}?",
        ],
        ["answer if"] =
        [
            "ay, {you}, ay; {clause6} {adv2}", "not I, by heaven; I never {verbed} {np2}",
            "it is, my {lord}; {clause6}", "no, by {oath}: {clause6}", "no more than {np4} {verbs} {np2}",
            "yea, by {oath}, and {verb} {np4}",
        ],
        ["ask when"] =
        [
            "and when will {them} {verb} {np4}?", "how long shall {noun2} {verb} {np4}?",
            "when shall we {verb} {np4}, good {you}?", "but when, O when, shall {np4} {intr}?",
        ],
        ["answer when"] =
        [
            "before the {noun} hath {verbed} {np4}", "to-morrow, when the {adj2} {noun} is {verbed}",
            "when {noun} is {adj}, and not before, my {lord}", "to-night, good {you}, when the {noun} is {adj}",
            "never, while {them} {verbs} {np4}",
        ],
        ["ask news"] =
        [
            "what news from {place}, {you}, of the {noun}?", "what says the {noun} of {place}, and what of {them}?",
                "how fares {np4} of {them}, {you}?",
        ],
        ["answer news"] =
        [
            "{them} hath {verbed} the {adj2} {noun} of {place}", "the {noun} is {verbed}, and {them} is {adj} {adv2}",
            "good news, my {lord}: {np4} is {verbed}", "ill news, my {lord}: {np4} is {verbed}",
            "in {place} they say that {them} hath {verbed} {np2}",
        ],
    };

    /// <summary>
    /// Topics that a character can ask about; for each there is a phrase "ask ..." and a phrase
    /// "answer ...".
    /// </summary>
    public static readonly string[] Questions = ["where", "who", "why", "if", "when", "news"];
}
