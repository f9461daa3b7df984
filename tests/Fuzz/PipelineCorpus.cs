using System.Buffers.Binary;
using System.Text;

namespace Nano.Fuzz;

/// <summary>
/// Small tokenizer.json documents that are run step by step: every model, normalizer, pre-tokenizer and decoder.
/// </summary>
static class PipelineCorpus
{
    static readonly (string Name, string Document)[] Documents =
    [
        ("unigram", """
            {"normalizer":{"type":"Sequence","normalizers":[{"type":"Nmt"},{"type":"NFKC"},{"type":"Replace",
              "pattern":{"Regex":" {2,}"},"content":" "}]},
             "pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},
             "decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
             "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s","type_id":0}},
             {"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"s":{"id":"s","ids":[1],"tokens":["s"]}}},
             "added_tokens":[{"id":1,"content":"<s>","single_word":false,"lstrip":true,"rstrip":false,
             "normalized":true,"special":true}],
             "model":{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["<unk>",0],["<s>",0],["▁",-2],["t",
             -3],["to",-3.5],["▁be",-4],["<0x0A>",-9],["question",-12.25]]}}
            """),
        ("wordpiece", """
            {"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,
              "lowercase":true},
             "pre_tokenizer":{"type":"BertPreTokenizer"},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
             "post_processor":{"type":"BertProcessing","sep":["b",2],"cls":["a",1]},
             "added_tokens":[{"id":0,"content":"[UNK]","single_word":true,"lstrip":false,"rstrip":true,
             "normalized":false,"special":true}],
             "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
             "max_input_chars_per_word":100,"vocab":{"[UNK]":0,"t":1,"##o":2,"be":3,"##e":4,"not":5,",":6}}}
            """),
        ("wordlevel", """
            {"normalizer":{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"},
              {"type":"Lowercase"},{"type":"Strip","strip_left":true,"strip_right":true},{"type":"Prepend",
                "prepend":"x"},{"type":"NFKD"}]},
             "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Whitespace"},{"type":"WhitespaceSplit"},
             {"type":"Punctuation","behavior":"Isolated"},{"type":"Digits","individual_digits":true},
               {"type":"CharDelimiterSplit","delimiter":"q"},{"type":"FixedLength","length":3}]},
             "decoder":{"type":"CTC","pad_token":"<pad>","word_delimiter_token":"|","cleanup":true},
             "model":{"vocab":{"a":0,"to":1,"be":2,"?":3},"unk_token":"?"}}
            """),
        ("bpe", """
            {"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"String":"b"},
              "content":"bb"}]},
             "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split",
             "pattern":{"Regex":"\\p{L}+|[^\\s\\p{N}]"},"behavior":"MergedWithPrevious","invert":true},{"type":"Split",
             "pattern":{"String":" "},"behavior":"Contiguous","invert":false}]},
             "decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Replace",
             "pattern":{"Regex":"x+"},"content":"y"},{"type":"Strip","content":" ","start":1,"stop":1},
             {"type":"BPEDecoder","suffix":"</w>"},{"type":"Fuse"}]},
             "model":{"type":"BPE","dropout":null,"unk_token":"?","continuing_subword_prefix":"@",
             "end_of_word_suffix":"</w>","fuse_unk":true,"byte_fallback":true,"ignore_merges":true,"vocab":{"?":0,
             "t":1,"@o</w>":2,"to</w>":3,"<0x20>":4},"merges":[["t","@o</w>"]]}}
            """),
        ("bytelevel", """
            {"added_tokens":[{"id":9,"content":"be","single_word":false,"lstrip":false,"rstrip":false,
              "normalized":true,"special":false},{"id":9,"content":"be","single_word":false,"lstrip":false,
              "rstrip":false,"normalized":false,"special":true}],
             "normalizer":{"type":"ByteLevel"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true,
             "trim_offsets":true,"use_regex":true},
             "post_processor":{"type":"RobertaProcessing","sep":["a",0],"cls":["b",1],"trim_offsets":true,
             "add_prefix_space":true},"decoder":{"type":"ByteLevel"},
             "model":{"type":"BPE","unk_token":"?","vocab":{"?":0,"t":1,"o":2,"to":3,"Ġ":4},"merges":["t o"]}}
            """),
        ("precompiled", """
            {"model":{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"b":1}},"pre_tokenizer":{"type":"Split",
              "pattern":{"String":"a"},"behavior":"Removed","invert":true},
             "decoder":{"type":"Fuse"},"normalizer":{"type":"Precompiled","precompiled_charsmap":"RULES"}}
            """),
    ];

    /// <summary>All of it.</summary>
    /// <param name="read">Opens a tokenizer, and uses it.</param>
    public static IEnumerable<FuzzSeed> All(Action<string> read) =>
        Documents.Select(document =>
            new FuzzSeed("tokenizer.json",
            Encoding.UTF8.GetBytes(document.Document.Replace("RULES", Rules(), StringComparison.Ordinal)), read,
            document.Name));

    /// <summary>
    /// Compiled rules: a becomes b. The root leads to unit 256 + the byte, with the exclusive or that Darts-clone has.
    /// </summary>
    static string Rules()
    {
        var bytes = new byte[4 + (4 * 512) + 2];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, 4 * 512);
        Set(0, 256 << 10);
        Set(256 ^ 'a', (1 << 10) | 0x100 | 'a');
        Set(256 ^ 'a' ^ 1, int.MinValue); // its replacement is at place 0
        bytes[^2] = (byte)'b';
        return Convert.ToBase64String(bytes);

        void Set(int unit, int value) => BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4 + (4 * unit)), value);
    }
}
