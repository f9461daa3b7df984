namespace Nano.Peers;

/// <summary>Everything that is compared.</summary>
internal static class Comparisons
{
    private const double LossTolerance = 1e-4, BFloat16Tolerance = 0.02, ProductTolerance = 1e-4;

    /// <summary>All comparisons, on each number of threads.</summary>
    /// <param name="threads">The numbers of threads.</param>
    /// <param name="files">The folder of the model files.</param>
    public static IEnumerable<Comparison> All(int[] threads, string files) =>
        [.. Training(threads), .. Products(threads), .. Text(threads, files), .. Tokens()];

    private static IEnumerable<Comparison> Training(int[] threads)
    {
        foreach (var (model, title, batch, time) in ((string, string, int, int)[])[
            ("gpt2", "GPT-2 124M", 4, 64), ("gpt2", "GPT-2 124M", 4, 256),
            ("shakespeare-char", "nanoGPT CPU recipe", 12, 64)])
            foreach (int count in threads)
                foreach (string type in (string[])["float32", "bfloat16"])
                    yield return new Comparison("train", $"{title} step, B {batch} T {time}"
                        + (type == "bfloat16" ? ", the peer all in bfloat16" : ""), Peer.Torch, count,
                        ["train", model, $"{batch}", $"{time}", type, $"{count}"], Agreement.Within(
                            "losses of three steps", type == "float32" ? LossTolerance : BFloat16Tolerance))
                    { Work = (batch * time, "tokens/s") };
    }

    private static IEnumerable<Comparison> Products(int[] threads)
    {
        const int m = 256;
        foreach (int count in threads)
            foreach (var (n, k) in ((int, int)[])[(2304, 768), (768, 768), (3072, 768), (768, 3072), (50257, 768)])
                foreach (var product in Enum.GetValues<GemmProduct>())
                    yield return new Comparison("products", $"{ProductTask.Of(product.ToString(), m, n, k).Name} "
                        + $"{m} x {n} x {k}", Peer.Torch, count,
                        ["product", product.ToString(), $"{m}", $"{n}", $"{k}", $"{count}"],
                        Agreement.Within("64 elements", ProductTolerance))
                    { Work = (2e-9 * m * n * k, "GFLOP/s"), IsPart = true };
    }

    private static IEnumerable<Comparison> Text(int[] threads, string files)
    {
        foreach (string kind in (string[])["decode", "prefill"])
            foreach (var (model, title) in ModelFiles.Models)
                foreach (string type in ModelFiles.Types)
                    foreach (int count in threads)
                        yield return Text(kind, model, title, type, count, files);
    }

    private static Comparison Text(string kind, string model, string title, string type, int threads, string files)
    {
        int tokens = kind == "decode" ? TextTask.Decoded : TextTask.LongPrompt;
        string cache = type == "F16" ? type : "F32"; // of llama.cpp; Nano's is always F32
        return new Comparison("text", kind == "decode"
            ? $"{title} {type}, {tokens} tokens after {TextTask.DecodePrompt + 1}"
            : $"{title} {type}, reading {tokens} tokens", Peer.LlamaCpp, threads,
            [kind, Path.Combine(files, ModelFiles.Name(model, type)), $"{threads}", cache,
                $"{ModelFiles.Config(model).VocabSize}"],
            ModelFiles.IsFloat32(type) ? Agreement.Equal("greedy ids") : new("greedy ids equal", -1))
        { Work = (tokens, "tokens/s") };
    }

    private static IEnumerable<Comparison> Tokens() =>
        from encoding in (string[])["gpt2", "cl100k_base", "o200k_base"]
        select new Comparison("tokens", $"tinyshakespeare to ids, {encoding}", Peer.Tokenizers, 1,
            ["tokenize", encoding, ModelFiles.Corpus], Agreement.Equal("ids"))
        { Work = (File.Exists(ModelFiles.Corpus) ? new FileInfo(ModelFiles.Corpus).Length / 1e6 : 0, "MB/s") };
}
