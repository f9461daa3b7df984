"""Makes formats/jsonl.json: lines and what Python's own json makes of their field "text".

A half of a surrogate pair becomes U+FFFD, as errors="replace" does when Python encodes; null stands for a line that is an
error: no JSON, no object, or a field that is missing or no string. Run: python3 make_jsonl.py > formats/jsonl.json
"""
import json

LINES = [
    r'{"text":"a"}', r' {"text" : "a" } ', '\t{"text":\t"a"}\r', r'{"a":1,"text":"b"}', r'{"text":"a","text":"b"}', r'{"text":1,"text":"b"}', r'{"text":"b","text":1}',
    r'{"te\u0078t":"escaped name"}', r'{"\u0074\u0065\u0078\u0074":"a","text":"b"}', r'{"text":"b","\u0074ext":"a"}', r'{"":1,"text":"a"}', r'{"\ud800":1,"text":"a"}', r'{"text\u0000":1}',
    r'{"text":"\ud83d"}', r'{"text":"\ude00"}', r'{"text":"\ud83d\ude00"}', r'{"text":"\ude00\ud83d"}', r'{"text":"\ud83d\ud83d\ude00"}', r'{"text":"\ud83d\ude00\ude00"}', r'{"text":"\ud83dx\ude00"}',
    r'{"text":"\ud83d\\ude00"}', r'{"text":"\ud83d\n\ude00"}', r'{"text":"\uD83D\uDE00 \uDBFF\uDFFF \uDBFF \uDC00"}', r'{"text":"x\ud83d\u0041"}', r'{"text":"\ud83d😀"}', r'{"text":"\ufffd\uffff"}',
    r'{"text":"\"\\\/\b\f\n\r\t\u0000é\u00e9\u20AC"}', '{"text":"é😀\u2028\u00a0"}', r'{"text":""}', r'{"text":"\u12"}', r'{"text":"\u12g4"}', r'{"text":"\x41"}', '{"text":"\t"}', '{"text":"\x7f"}', r'{"text":"a',
    r'{"text":"a"', r'{"text":"a",}', r'{"text":"a"}}', r'{"text":"a"} {"text":"b"}', r"{'text':'a'}", r'{text:"a"}', r'{"text" "a"}', r'{"text":}', r'{,"text":"a"}', r'{}', '{', '"text"', '[]', 'null', '5', 'NaN', '-Infinity', 'tru', '\x00',
    r'{"s":NaN,"text":"a"}', r'{"s":[NaN,Infinity,-Infinity,{"x":-Infinity}],"text":"a"}', r'{"s":-NaN,"text":"a"}', r'{"s":nan,"text":"a"}', r'{"s":+1,"text":"a"}', r'{"text":NaN}', r'{"text":"a","s":Infinity}', r'{"s":Inf,"text":"a"}',
    r'{"s":1e999,"text":"a"}', r'{"s":-1E-999,"text":"a"}', '{"s":' + '1234567890' * 300 + ',"text":"a"}', '{"s":0.' + '3' * 5000 + 'e+12,"text":"a"}', r'{"s":-0,"text":"a"}', r'{"s":01,"text":"a"}', r'{"s":-,"text":"a"}', r'{"s":1.,"text":"a"}',
    r'{"s":.5,"text":"a"}', r'{"s":1e,"text":"a"}', r'{"s":1e+,"text":"a"}', r'{"s":0x1,"text":"a"}', r'{"s":1_0,"text":"a"}', r'{"s":[1,],"text":"a"}', r'{"s":[1 2],"text":"a"}', r'{"s":[,1],"text":"a"}', r'{"s":[],"t":{},"text":"a"}',
    r'{"s":{"text":"inner"},"text":"a"}', r'{"s":{"text":"inner"}}', r'{"s":["text","b"],"text":"a"}', r'{"s":{"a":[{"b":[[]]}]},"text":"a"}', r'{"s":[}],"text":"a"}', r'{"s":{"a"},"text":"a"}', r'{"s":true,"t":false,"u":null,"text":"a"}',
    r'{"s":trueish,"text":"a"}', '{"s":' + '[' * 200 + ']' * 200 + ',"text":"deep"}', '{"s":' + '{"a":' * 200 + '1' + '}' * 200 + ',"text":"deep"}', r'{"text":null}', r'{"text":["a"]}', r'{"text":{"text":"a"}}', r'{"text":true}',
    '{"text":"a"}\x0c', '\u00a0{"text":"a"}', '{"text":"a"}// no', '{"text":"a"/* no */}', '{"text":"a" \x0b}',
]


def text(line):
    try:
        value = json.loads(line)
        value = value["text"] if isinstance(value, dict) else None
    except (ValueError, KeyError):
        return None
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value) if isinstance(value, str) else None


print(json.dumps([[line, text(line)] for line in LINES], indent=0))
