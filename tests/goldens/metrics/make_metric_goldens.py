"""Values of BLEU (13a, exp), ROUGE-L, SQuAD exact match and F1 for pairs.json -> values.json, from the definitions, with the standard library alone.

sacrebleu and rouge_score could not be installed where this was made; the values that their own tests publish are in MetricTests.cs beside these.
"""
import functools
import json
import math
import pathlib
import re
import string
from collections import Counter

here = pathlib.Path(__file__).parent
pairs = [json.loads(line) for line in (here / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]


def words_13a(text):
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")):
        text = text.replace(entity, character)
    text = " " + text + " "
    alone = set(string.punctuation) - set("'.,-")
    text = "".join(" " + c + " " if c in alone else c for c in text)
    text = re.sub(r"([^0123456789])([.,])", r"\1 \2 ", text)
    text = re.sub(r"([.,])([^0123456789])", r" \1 \2", text)
    text = re.sub(r"([0123456789])-", r"\1 - ", text)
    return text.split()


def ngrams(words, n):
    return Counter(tuple(words[i:i + n]) for i in range(len(words) - n + 1))


def bleu(some):
    c = r = 0
    hit, all_ = [0] * 4, [0] * 4
    for pair in some:
        p, refs = words_13a(pair["prediction"]), [words_13a(x) for x in pair["references"]]
        c += len(p)
        r += sorted((abs(len(x) - len(p)), len(x)) for x in refs)[0][1]
        for n in range(1, 5):
            most = functools.reduce(lambda a, b: a | b, (ngrams(x, n) for x in refs))
            mine = ngrams(p, n)
            hit[n - 1] += sum((mine & most).values())
            all_[n - 1] += sum(mine.values())
    if sum(hit) == 0 or 0 in all_:
        return 0.0, c, r, hit, all_
    missing, logs = 0, 0.0
    for h, a in zip(hit, all_):
        if h == 0:
            missing += 1
            logs += math.log(1 / (2 ** missing * a))
        else:
            logs += math.log(h / a)
    return 100 * math.exp(logs / 4 + min(0.0, 1 - r / c)), c, r, hit, all_


def rouge_l(prediction, reference):
    p, r = (tuple(re.findall("[a-z0-9]+", x.lower())) for x in (prediction, reference))

    @functools.lru_cache(None)
    def common(i, j):
        if i == len(p) or j == len(r):
            return 0
        return 1 + common(i + 1, j + 1) if p[i] == r[j] else max(common(i + 1, j), common(i, j + 1))

    n = common(0, 0)
    if n == 0:
        return 0.0
    precision, recall = n / len(p), n / len(r)
    return 2 * precision * recall / (precision + recall)


def answer(text):
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(?:the|an|a)\b", " ", bare).split()


def f1(prediction, reference):
    p, r = answer(prediction), answer(reference)
    if not p or not r:
        return float(p == r)
    same = sum((Counter(p) & Counter(r)).values())
    return 2 * same / (len(p) + len(r))


def of(pair, metric):
    return max(metric(pair["prediction"], x) for x in pair["references"])


score, c, r, hit, all_ = bleu(pairs)
values = {
    "bleu": score, "length": c, "reference_length": r, "matches": hit, "totals": all_,
    "single_bleu": [bleu([pair])[0] for pair in pairs],
    "words": [words_13a(pair["prediction"]) for pair in pairs],
    "rouge_l": [of(pair, rouge_l) for pair in pairs],
    "exact": [int(of(pair, lambda a, b: answer(a) == answer(b))) for pair in pairs],
    "f1": [of(pair, f1) for pair in pairs],
}
(here / "values.json").write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
