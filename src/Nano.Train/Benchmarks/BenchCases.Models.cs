namespace Nano;

/// <summary>Cases that run a whole model with random weights.</summary>
public static partial class BenchCases
{
    private const int DecodedTokens = 8, PromptTokens = 16;

    /// <summary>
    /// One training step: forward, backward, clipping, AdamW. What is checked is a twin of one row of at most eight tokens: two steps of it give the
    /// same losses and gradient norms in scalar code, and the first loss is the logarithm of the vocabulary, all that a fresh model can know. Its
    /// gradients are compared with double precision by <c>nano verify</c>.
    /// </summary>
    /// <exception cref="NanoException">No such model or preset.</exception>
    public static BenchCase TrainStep(string name, int batch, int time)
    {
        var config = TrainStepSetup.Config(name);
        return new BenchCase("train-step", name, "train-step", $"{name} B {batch} T {time}", (double)batch * time * config.TrainingFlopsPerToken(time), 0, BenchBound.Arithmetic,
            () => TrainStepWork(name, batch, time, config.VocabSize))
        { Tokens = batch * time };
    }

    private static BenchWork TrainStepWork(string name, int batch, int time, int vocabulary)
    {
        TrainStepSetup? setup = null;
        long number = 0;
        var seen = new Tensor(new Shape(4)); // loss and norm of two steps
        return new BenchWork(c => (setup ??= new TrainStepSetup(c, name, batch, time)).Step.Run(number++, 1e-4),
            () => [new("first loss", seen.SliceRows(0, 1), _ => (Math.Log(vocabulary), Math.Log(vocabulary)), 0.1), new("losses and norms", seen, null)])
        {
            Twin = c =>
            {
                using var twin = new TrainStepSetup(c, name, 1, Math.Min(time, 8));
                for (int i = 0; i < 2; i++)
                {
                    var result = twin.Step.Run(i, 1e-4);
                    seen.Data[2 * i] = (float)result.Loss;
                    seen.Data[(2 * i) + 1] = (float)result.GradientNorm;
                }
                c.Tape = null;
            },
            Release = () => setup?.Dispose(),
        };
    }

    /// <summary>
    /// Text made token by token with cached keys and values, one stream: eight tokens after a prompt of sixteen. Every weight but the position
    /// table is read once per token. Checked against the model run on all tokens at once, without a cache.
    /// </summary>
    public static BenchCase Decode(string name)
    {
        var config = Gpt2Config.Named(name);
        double weights = config.MultiplyingWeights();
        return new BenchCase("decode", name, "decode", $"{DecodedTokens} tokens after {PromptTokens}", 2 * weights * DecodedTokens, sizeof(float) * weights * DecodedTokens,
            BenchBound.Read, () => DecodeWork(config))
        { Tokens = DecodedTokens };
    }

    private static BenchWork DecodeWork(ModelConfig config)
    {
        var model = LanguageModel.Create(config);
        model.Initialize(1);
        int[] prompt = [.. Enumerable.Range(0, PromptTokens).Select(i => (int)Philox.Below(7, 0, (ulong)i, config.VocabSize))];
        var made = new Tensor(new Shape(DecodedTokens)); // ids, which float32 holds exactly
        (Compute Compute, Generator Generator)? owner = null;
        IEnumerator<int>? stream = null;
        int first = 0;
        return new BenchWork(_ =>
        {
            for (int i = 0; i < DecodedTokens && stream!.MoveNext(); i++)
                made.Data[i] = stream.Current;
        }, () => [new("ids", made, i => (Likeliest([.. prompt, first, .. made.Data[..(int)i].ToArray().Select(id => (int)id)]), 0))])
        {
            Prepare = c =>
            {
                if (owner?.Compute != c)
                {
                    owner?.Generator.Dispose();
                    owner = (c, new Generator(model, c));
                }
                stream?.Dispose();
                stream = owner.Value.Generator.Continue(prompt, new SamplerOptions { Temperature = 0 }).GetEnumerator();
                stream.MoveNext();
                first = stream.Current;
            },
            Release = () =>
            {
                stream?.Dispose();
                owner?.Generator.Dispose();
                model.Dispose();
            },
        };

        // The id that the model without a cache finds likeliest after these.
        int Likeliest(int[] ids)
        {
            using var compute = new Compute();
            var input = compute.New(new Shape(1, ids.Length), DType.Int32);
            ids.CopyTo(input.Ids);
            var logits = model.Forward(compute, input).Data[^config.VocabSize..];
            int best = 0;
            for (int id = 1; id < logits.Length; id++)
                best = logits[id] > logits[best] ? id : best;
            return best;
        }
    }
}
