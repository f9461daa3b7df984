namespace Nano;

/// <summary>Cases that run a whole model with random weights.</summary>
public static partial class BenchCases
{
    private const int DecodedTokens = 8, PromptTokens = 16, LongPrompt = 512;

    /// <summary>
    /// One training step: forward, backward, clipping, AdamW. What is checked is a twin of one row
    /// of at most eight tokens: two steps of it give the same losses and gradient norms in scalar
    /// code, and the first loss is the logarithm of the vocabulary, all that a fresh model can
    /// know. Its gradients are compared with double precision by <c>nano verify</c>.
    /// </summary>
    /// <exception cref="NanoException">No such model or preset.</exception>
    public static BenchCase TrainStep(string name, int batch, int time, Precision precision = Precision.Float32)
    {
        var config = TrainStepSetup.Config(name);
        string format = precision == Precision.Float32 ? "" : " " + precision.ToString().ToLowerInvariant();
        return new BenchCase("train-step", name, "train-step", $"{name} B {batch} T {time}{format}",
            (double)batch * time * config.TrainingFlopsPerToken(time), 0, BenchBound.Arithmetic,
            () => TrainStepWork(name, batch, time, config.VocabSize, precision, null))
        {
            Tokens = batch * time,
            RoundsProducts = precision == Precision.BFloat16,
            Training = step => TrainStepWork(name, batch, time, config.VocabSize, Precision.Float32, step),
        };
    }

    private static BenchWork TrainStepWork(string name, int batch, int time, int vocabulary, Precision precision,
        Func<TrainStepSetup, Compute, ITrainStep>? step)
    {
        TrainStepSetup? setup = null;
        long number = 0;
        var seen = new Tensor(new Shape(4)); // loss and norm of two steps
        return new BenchWork(c => (setup ??= new TrainStepSetup(c, name, batch, time, precision, step)).Run(number++),
            () => [new("first loss", seen.SliceRows(0, 1), _ => (Math.Log(vocabulary), Math.Log(vocabulary)), 0.1),
                new("losses and norms", seen, null)])
        {
            Twin = c =>
            {
                using var twin = new TrainStepSetup(c, name, 1, Math.Min(time, 8), precision, step);
                for (int i = 0; i < 2; i++)
                {
                    var result = twin.Run(i);
                    seen.Data[2 * i] = (float)result.Loss;
                    seen.Data[(2 * i) + 1] = (float)result.GradientNorm;
                }
                c.Tape = null;
            },
            Release = () => setup?.Dispose(),
        };
    }

    /// <summary>
    /// Cases of text generation with a model: reading a prompt, and generating token by token.
    /// </summary>
    /// <param name="model">A published size of GPT-2, a preset, or the path of a model.</param>
    /// <exception cref="NanoException">No such model or preset.</exception>
    public static IEnumerable<BenchCase> Generation(string model) =>
        BenchModel.Of(model) is var found ? [Decode(found), Prefill(found)] : [];

    /// <summary>
    /// Text made token by token with cached keys and values, one stream: eight tokens after a
    /// prompt of sixteen. Every weight that multiplies is read once per token, as it is stored, and
    /// so are all keys and values so far. Checked against the model run on all tokens at once,
    /// without a cache.
    /// </summary>
    private static BenchCase Decode(BenchModel model)
    {
        // seen by each token, added up
        double keys = DecodedTokens * (PromptTokens + ((DecodedTokens + 1) / 2.0)),
            flops = model.Flops(DecodedTokens, DecodedTokens) + (keys * AttentionFlops(model.Config));
        return new BenchCase("decode", model.Name, "decode", $"{DecodedTokens} tokens after {PromptTokens}",
            flops, (model.Bytes * DecodedTokens) + (keys * model.Config.CacheBytesPerToken), BenchBound.Read,
            () => DecodeWork(model, null))
        {
            Tokens = DecodedTokens,
            Codes = model.Shares(DecodedTokens, DecodedTokens, flops),
            Decoding = decoder => DecodeWork(model, decoder),
        };
    }

    /// <summary>
    /// Reading a prompt up to the logits behind its last token, the only ones that are computed.
    /// Checked by a twin of the first tokens: the logits of a model without a cache.
    /// </summary>
    private static BenchCase Prefill(BenchModel model)
    {
        double T = Math.Min(LongPrompt, model.Config.ContextLength),
            flops = model.Flops(T, 1) + (T * (T + 1) / 2 * AttentionFlops(model.Config));
        return new BenchCase("decode", model.Name, "prefill", $"{T} tokens", flops, 0, BenchBound.Arithmetic,
            () => PrefillWork(model, (int)T, null))
        {
            Tokens = (int)T,
            Codes = model.Shares(T, 1, flops),
            Decoding = decoder => PrefillWork(model, (int)T, decoder),
        };
    }

    /// <summary>Arithmetic of a token's attention to one key, scores and values, in all layers.</summary>
    private static double AttentionFlops(ModelConfig config) => 4.0 * config.Layers * config.Heads * config.HeadDim;

    /// <summary>Reading a prompt; without a device's decoder on the processor.</summary>
    private static BenchWork PrefillWork(BenchModel of, int T, Func<LanguageModel, Compute, IDecoder>? newDecoder)
    {
        var config = of.Config;
        var (model, timed) = of.Load(newDecoder is null);
        (Compute Compute, IDecoder Decoder)? owner = null;
        int[] prompt = RandomPrompt(config, T);
        var next = new Tensor(new Shape(1, config.VocabSize));
        var whole = new Lazy<float[]>(() => Logits(model, prompt[..Math.Min(T, PromptTokens)]));
        return new BenchWork(c => Read(c, T), () => [new("logits", next, i => (whole.Value[i], 0))])
        {
            Twin = c => Read(c, Math.Min(T, PromptTokens)),
            Release = () =>
            {
                owner?.Decoder.Dispose();
                timed.Dispose();
                model.Dispose();
            },
        };

        void Read(Compute c, int count)
        {
            if (owner?.Compute != c)
            {
                owner?.Decoder.Dispose();
                owner = (c, newDecoder?.Invoke(timed, c) ?? new ModelDecoder(timed, c));
                owner.Value.Decoder.Reserve(1, T);
            }
            owner.Value.Decoder.Clear(0);
            next.CopyFrom(owner.Value.Decoder.Next([0], prompt.AsSpan(0, count)));
        }
    }

    private static int[] RandomPrompt(ModelConfig config, int count) =>
        [.. Enumerable.Range(0, count).Select(i => (int)Philox.Below(7, 0, (ulong)i, config.VocabSize))];

    /// <summary>The logits behind the last of these ids, from a model without a cache.</summary>
    private static float[] Logits(LanguageModel model, int[] ids)
    {
        using var compute = new Compute();
        var input = compute.New(new Shape(1, ids.Length), DType.Int32);
        ids.CopyTo(input.Ids);
        return model.Forward(compute, input).Data[^model.Config.VocabSize..].ToArray();
    }

    /// <summary>Decoding steps; without a device's decoder on the processor.</summary>
    private static BenchWork DecodeWork(BenchModel of, Func<LanguageModel, Compute, IDecoder>? newDecoder)
    {
        var config = of.Config;
        var (model, timed) = of.Load(newDecoder is null);
        int[] prompt = RandomPrompt(config, PromptTokens);
        var made = new Tensor(new Shape(DecodedTokens)); // ids, which float32 holds exactly
        (Compute Compute, Generator Generator)? owner = null;
        IEnumerator<int>? stream = null;
        int first = 0;
        return new BenchWork(_ =>
        {
            for (int i = 0; i < DecodedTokens && stream!.MoveNext(); i++)
                made.Data[i] = stream.Current;
        }, () => [new("ids", made,
            i => (Sampler.ArgMax(
                Logits(model, [.. prompt, first, .. made.Data[..(int)i].ToArray().Select(id => (int)id)])), 0))])
        {
            Prepare = c =>
            {
                if (owner?.Compute != c)
                {
                    owner?.Generator.Dispose();
                    owner = (c, new Generator(newDecoder?.Invoke(timed, c) ?? new ModelDecoder(timed, c)));
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
                timed.Dispose();
                model.Dispose();
            },
        };
    }
}
