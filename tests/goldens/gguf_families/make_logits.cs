#:package LLamaSharp@0.30.0
#:package LLamaSharp.Backend.Cpu@0.30.0
#:property RuntimeIdentifier=linux-x64
#:property SelfContained=false
#:property PublishAot=false
#:property JsonSerializerIsReflectionEnabledByDefault=true
#:property ManagePackageVersionsCentrally=false

// What llama.cpp makes of the GGUF files that GgufFamilyTests write: the likeliest continuation of a prompt, and the
// logits behind it.
//   NANO_GGUF_OUT=FOLDER dotnet test tests/Nano.Model.Tests --filter GgufFamilyTests
//   dotnet run make_logits.cs FOLDER > llama_cpp.json
using System.Globalization;
using System.Security.Cryptography;
using LLama.Native;

const int PromptLength = 20, Made = 16, Vocabulary = 48;
NativeLibraryConfig.All.WithLogCallback((LLamaLogLevel _, string _) => { });
NativeLibraryConfig.All.DryRun(out _, out _);
int[] prompt = [.. Enumerable.Range(0, PromptLength).Select(i => ((i * i) + (7 * i) + 3) % Vocabulary)];
var rows = new List<string>();
foreach (string file in Directory.EnumerateFiles(args[0], "*.gguf").Order(StringComparer.Ordinal))
{
    using var model = SafeLlamaModelHandle.LoadFromFile(file, LLamaModelParams.Default());
    var options = LLamaContextParams.Default();
    (options.n_threads, options.n_threads_batch, options.n_ctx) = (1, 1, 64);
    options.type_k = options.type_v = GGMLType.GGML_TYPE_F32;
    using var context = SafeLLamaContextHandle.Create(model, options);
    float[] first = Read(prompt, 0), logits = first;
    var greedy = new List<int>();
    while (greedy.Count < Made)
    {
        greedy.Add(Array.IndexOf(logits, logits.Max()));
        logits = Read([greedy[^1]], PromptLength + greedy.Count - 1);
    }
    rows.Add($" \"{Path.GetFileNameWithoutExtension(file)}\": {{\"sha256\": \""
        + Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)))
        + $"\", \"prompt\": [{string.Join(", ", prompt)}], \"greedy\": [{string.Join(", ", greedy)}],\n  \"logits\": ["
        + string.Join(", ", first.Select(logit => logit.ToString("G7", CultureInfo.InvariantCulture))) + "]}");

    float[] Read(int[] ids, int position)
    {
        var batch = new LLamaBatch();
        for (int i = 0; i < ids.Length; i++)
            batch.Add(ids[i], position + i, LLamaSeqId.Zero, i == ids.Length - 1);
        return context.Decode(batch) == DecodeResult.Ok ? context.GetLogitsIth(ids.Length - 1).ToArray()
            : throw new InvalidOperationException($"llama_decode fails for {file}");
    }
}
Console.WriteLine("{\n" + string.Join(",\n", rows) + "\n}");
