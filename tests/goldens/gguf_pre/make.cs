// Makes gguf_pre.json: what llama.cpp makes of texts.json under every name of tokenizer.ggml.pre that it
// knows, over three vocabularies whose
// merges, in different orders, would join each text if nothing cut it. Run in a copy of this folder outside
// the repository: dotnet run make.cs (the package brings llama.cpp's library).
#:package LLamaSharp@0.30.0
#:package LLamaSharp.Backend.Cpu@0.30.0
#:property AllowUnsafeBlocks=true
#:property PublishAot=false
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using LLama;
using LLama.Common;
using LLama.Native;

const int MaxTokenBytes = 12, Vocabularies = 3;
string[] names =
[
    "default", "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
    "minicpm5", "deepseek-llm", "deepseek-coder", "deepseek-v3", "spark2_5", "youtu", "falcon", "mpt", "starcoder",
    "gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum", "modern-bert",
    "jais-2", "jina-v1-en", "jina-v2-code", "roberta-bpe", "refact", "command-r", "qwen2", "deepseek-r1-qwen", "kormo",
    "f2llmv2", "qwen35", "stablelm2", "olmo", "dbrx", "smaug-bpe", "poro-chat", "glm4", "chatglm-bpe", "viking", "jais",
    "tekken", "smollm", "codeshell", "bloom", "gpt3-finnish", "exaone", "exaone4", "exaone-moe", "chameleon",
    "minerva-7b", "megrez", "gpt-4o", "llama4", "kanana2", "talkie", "granite-embed-multi-97m", "tiny_aya",
    "cohere2moe", "superbpe", "trillion", "granite-docling", "bailingmoe", "bailingmoe2", "llada-moe", "seed-coder",
    "hunyuan", "hunyuan-dense", "hy_v4", "joyai-llm", "kimi-k2", "ufakzeka", "grok-2", "afmoe", "laguna", "minimax-m2",
    "solar-open", "mellum2", "no-such-name",
];
NativeLibraryConfig.All.WithLogCallback((level, message) => { });
string[] texts = JsonSerializer.Deserialize<string[]>(File.ReadAllText("texts.json"))!;
string[] alphabet = Alphabet();
var vocabularies = Enumerable.Range(1, Vocabularies).Select(Train).ToList();
var groups = new Dictionary<string, (List<string> Names, bool Begins, List<string> Ids)>();
var unknown = new List<string>();
foreach (string name in names)
{
    try
    {
        bool begins = false;
        var ids = new List<string>(); // of each vocabulary and text
        foreach (var (tokens, merges) in vocabularies)
        {
            WriteModel("model.gguf", name, tokens, merges);
            using var weights = LLamaWeights.LoadFromFile(new ModelParams("model.gguf") { VocabOnly = true });
            begins = weights.Tokenize("a", true, true, Encoding.UTF8)[0] == 0;
            ids.AddRange(texts.Select(text =>
                $"[{string.Join(',', weights.Tokenize(text, false, true, Encoding.UTF8).Select(token => (int)token))}]"));
        }
        string key = $"{begins} {string.Concat(ids)}";
        if (!groups.TryGetValue(key, out var group))
            groups[key] = group = ([], begins, ids);
        group.Names.Add(name);
    }
    catch (LLama.Exceptions.LoadWeightsFailedException)
    {
        unknown.Add(name);
    }
}
File.Delete("model.gguf");

// Most groups agree on most texts: the different ids of each text, and which of them each group has.
var json = new StringBuilder($"{{\n\"unknown\": {JsonSerializer.Serialize(unknown)},\n\"groups\": [\n");
json.AppendJoin(",\n",
    groups.Values.Select(group =>
        $"{{\"begins\": {(group.Begins ? "true" : "false")}, \"names\": {JsonSerializer.Serialize(group.Names)}}}"))
        .Append("\n],\n\"vocabularies\": [\n");
for (int v = 0; v < Vocabularies; v++)
{
    json.Append(v == 0 ? "" : ",\n")
        .Append($"{{\"merges\": "
        + $"[{string.Join(',', vocabularies[v].Merges.Select(merge => $"[{merge.Left},{merge.Right}]"))}],\n\"texts\": [\n");
    for (int t = 0; t < texts.Length; t++)
    {
        string[] all = [.. groups.Values.Select(group => group.Ids[v * texts.Length + t])],
            distinct = [.. all.Distinct()];
        json.Append(t == 0 ? "" : ",\n")
            .Append($"{{\"ids\": [{string.Join(',', distinct)}], \"of\": "
            + $"[{string.Join(',', all.Select(ids => Array.IndexOf(distinct, ids)))}]}}");
    }
    json.Append("]}");
}
File.WriteAllText("gguf_pre.json", json.Append("\n]\n}\n").ToString());
Console.WriteLine($"{vocabularies[0].Tokens.Count} tokens, {groups.Count} groups, unknown: "
    + $"{string.Join(' ', unknown)}");
foreach (var group in groups.Values)
    Console.WriteLine($"{(group.Begins ? "begin " : "")}{string.Join(' ', group.Names)}");

// Ids: 0 <|begin|>, 1 <|user|>, then the 256 bytes in order, then one for each merge.
(List<byte[]> Tokens, List<(int Left, int Right)> Merges) Train(int seed)
{
    var random = new Random(seed);
    var weights = new Dictionary<(int, int), double>();
    var known = Enumerable.Range(0, 256).Select(b => (byte[])[(byte)b]).ToList();
    var rules = new List<(int Left, int Right)>();
    var made = new HashSet<string>();
    var rows = texts.Select(text => Encoding.UTF8.GetBytes(text).Select(b => (int)b).ToList()).ToList();
    while (true)
    {
        var counts = new Dictionary<(int, int), int>();
        foreach (var row in rows)
            for (int i = 0; i + 1 < row.Count; i++)
                if (known[row[i]].Length + known[row[i + 1]].Length <= MaxTokenBytes
                    && !made.Contains(Convert.ToHexString([.. known[row[i]], .. known[row[i + 1]]])))
                    counts[(row[i], row[i + 1])] = counts.GetValueOrDefault((row[i], row[i + 1])) + 1;
        if (counts.Count == 0)
            break;
        foreach (var pair in counts.Keys.Where(pair => !weights.ContainsKey(pair)))
            weights[pair] = random.NextDouble();
        var best = counts.MaxBy(pair => pair.Value * weights[pair.Key]).Key;
        byte[] joined = [.. known[best.Item1], .. known[best.Item2]];
        made.Add(Convert.ToHexString(joined));
        rules.Add(best);
        int id = known.Count;
        known.Add(joined);
        foreach (var row in rows)
            for (int i = 0; i + 1 < row.Count; i++)
                if ((row[i], row[i + 1]) == best)
                {
                    row[i] = id;
                    row.RemoveAt(i + 1);
                }
    }
    return (known, rules);
}

string[] Alphabet()
{
    var text = new string[256];
    int next = 256;
    for (int b = 0; b < 256; b++)
        text[b] = $"{(char)(b is >= 0x21 and <= 0x7E or >= 0xA1 and <= 0xAC or >= 0xAE ? b : next++)}";
    return text;
}

string Text(byte[] bytes) => string.Concat(bytes.Select(b => alphabet[b]));

void WriteModel(string path, string pre, List<byte[]> tokens, List<(int Left, int Right)> merges)
{
    using var file = new BinaryWriter(File.Create(path));
    List<string> all = ["<|begin|>", "<|user|>", .. tokens.Select(Text)];
    int[] types = [3, 4, .. Enumerable.Repeat(1, tokens.Count)];
    file.Write("GGUF"u8);
    file.Write(3u);
    file.Write(0L);
    file.Write(8L);
    Key("general.architecture", 8);
    String("llama");
    Key("general.name", 8);
    String("vocabulary");
    Key("tokenizer.ggml.model", 8);
    String("gpt2");
    Key("tokenizer.ggml.pre", 8);
    String(pre);
    Key("tokenizer.ggml.tokens", 9);
    Strings(all);
    Key("tokenizer.ggml.token_type", 9);
    file.Write(5u);
    file.Write((long)types.Length);
    foreach (int type in types)
        file.Write(type);
    Key("tokenizer.ggml.merges", 9);
    Strings(merges.Select(merge => $"{Text(tokens[merge.Left])} {Text(tokens[merge.Right])}").ToList());
    Key("tokenizer.ggml.bos_token_id", 4);
    file.Write(0u);

    void Key(string key, uint type)
    {
        String(key);
        file.Write(type);
    }
    void Strings(List<string> values)
    {
        file.Write(8u);
        file.Write((long)values.Count);
        values.ForEach(String);
    }
    void String(string value)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        file.Write((long)bytes.Length);
        file.Write(bytes);
    }
}
