using Nano.Fuzz;

namespace Nano.Tests.Formats;

/// <summary>A short run of the fuzzer; the long one is "make fuzz".</summary>
public class FuzzTests
{
    [Fact]
    public void Damaged_files_of_every_format_are_read_or_refused_within_bounded_memory()
    {
        using var folder = new TempFolder();
        var corpus = FuzzCorpus.All(folder.Root);
        Assert.Superset(new HashSet<string>(["config.json", "model.safetensors", "model.safetensors.index.json",
            "model.gguf", "metadata.gguf", "llmc.bin", "v0.bin", "v1.bin", "v2.bin", "tokenizer.json",
                "tokenizer.model", "tokenizer.bin", "vocab.bpe", "encoder.json", "vocabulary.gguf"]),
            corpus.Select(seed => seed.Name).ToHashSet());
        FuzzResult result = FileFuzzer.Run(corpus, first: 0, count: 3000, folder.Root);
        Assert.Empty(result.Failures);
        Assert.True(result.Read > 100 && result.Refused > 1000, $"{result.Read} read, {result.Refused} refused");
    }
}
