namespace Nano.Tests;

public class ModelSummaryTests
{
    [Fact]
    public void Gpt2_by_hand()
    {
        var summary = ModelSummary.Of(Gpt2Config.Named("gpt2"));
        Assert.Equal(
            [
                ("embedding", (50257L + 1024) * 768), ("attention", 12L * ((768 * 2304) + 2304 + (768 * 768) + 768)),
                    ("mlp", 12L * ((2 * 768 * 3072) + 3072 + 768)),
                ("norms", 25L * 2 * 768), ("head", 0L),
            ],
            summary.Components.Select(component => (component.Key, component.Value)));
        Assert.Equal((124_439_808, 497_759_232), (summary.Parameters, summary.MemoryBytes));
        Assert.Equal((73_728, 75_497_472), (summary.CacheBytesPerToken, summary.CacheBytes));
        Assert.Equal((2.0 * (124_439_808 - (1024 * 768))) + (4.0 * 12 * 768 * 1024),
            summary.InferenceFlopsPerToken, 1.0);
        Assert.Equal(3 * summary.InferenceFlopsPerToken, summary.TrainingFlopsPerToken, 1.0);
    }

    [Fact]
    public void A_llama_with_grouped_heads_and_a_head_of_its_own_by_hand()
    {
        var summary = ModelSummary.Of(new DecoderConfig
        {
            VocabSize = 100,
            ContextLength = 50,
            Layers = 3,
            Heads = 4,
            KvHeads = 2,
            HeadDim = 6,
            Channels = 16,
            Intermediate = 20,
            TiedHead = false,
            QkNorm = true,
            QkvBias = true,
        });
        Assert.Equal(
            [
                ("embedding", 1600L), ("attention", 3L * ((16 * 24) + 24 + (2 * ((16 * 12) + 12)) + (24 * 16))),
                    ("mlp", 3L * 3 * 16 * 20), ("norms", (7L * 16) + (3 * 2 * 6)), ("head", 1600L),
            ],
            summary.Components.Select(component => (component.Key, component.Value)));
        Assert.Equal((3 * 2 * 12 * 4, 3 * 2 * 12 * 4 * 50), (summary.CacheBytesPerToken, summary.CacheBytes));
        Assert.Equal((2.0 * (summary.Parameters - 1600)) + (4.0 * 3 * 24 * 50), summary.InferenceFlopsPerToken, 1e-6);
    }
}
