namespace Nano.Tests;

/// <summary>
/// A model is read-only while it runs: threads share it, each with a compute, a cache and a pass of
/// its own.
/// </summary>
public class SharedModelTests
{
    static readonly DecoderConfig Llama = new()
    {
        VocabSize = 23,
        ContextLength = 120,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        Channels = 24,
        Intermediate = 40,
        RopeScaling = new RopeScaling.Dynamic(4, 30),
    };

    static readonly Gpt2Config Gpt2 = new()
    {
        VocabSize = 23,
        ContextLength = 120,
        Layers = 2,
        Heads = 4,
        Channels = 24
    };

    public static TheoryData<string> Names => ["llama", "gpt2"];

    [Theory, MemberData(nameof(Names))]
    public void Threads_that_share_a_model_make_the_texts_that_each_makes_alone(string name)
    {
        using var model = Models.Random(name == "llama" ? Llama : Gpt2);
        int[][] prompts = [[1, 2, 3], [7], [4, 9, 11, 2, 5, 6, 1, 0, 22], [13, 13]];
        int[][] alone = [.. prompts.Select((prompt, i) => Text(model, prompt, i))];
        for (int round = 0; round < 3; round++)
        {
            int[][] together = new int[prompts.Length][];
            using var start = new Barrier(prompts.Length);
            Thread[] threads = [.. prompts.Select((prompt, i) => new Thread(() =>
            {
                start.SignalAndWait();
                together[i] = Text(model, prompt, i);
            }))];
            foreach (var thread in threads)
                thread.Start();
            foreach (var thread in threads)
                thread.Join();
            Assert.Equal(alone, together);
        }
    }

    static int[] Text(LanguageModel model, int[] prompt, int seed)
    {
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        var sampler = new SamplerOptions { Temperature = 1, Seed = (ulong)seed };
        return [.. generator.Continue(prompt, sampler).Take(80)];
    }
}
