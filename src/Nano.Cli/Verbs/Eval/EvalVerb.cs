using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano eval: how well a model predicts a text; its verbs measure other things.</summary>
internal static class EvalVerb
{
    private static readonly Option<string> Model = new("--model")
    {
        Description = "Folder of a model or of a run",
        Required = true
    };
    private static readonly Option<bool> Exact = Common.Exact();
    private static readonly Option<string?> TokenizerPath =
        new("--tokenizer") { Description = "Tokenizer to use instead of the model's own" };
    private static readonly Option<string> Data =
        new("--data")
        {
            Description =
            "Text to evaluate: a UTF-8 file, a folder made by 'nano data prepare' (its validation split), or a "
            + "token file of llm.c",
            Required = true
        };
    private static readonly Option<int?> Seq =
        new("--seq") { Description = "Tokens per window (default: the model's context)" };
    private static readonly Option<int?> Stride =
        new("--stride")
        {
            Description =
            "Tokens from one window to the next: fewer give each token more context and take longer (default: a "
            + "window)"
        };
    private static readonly Option<int?> Batch =
        new("--batch") { Description = "Windows per batch; does not change the result (default: about 1,024 tokens)" };
    private static readonly Option<WeightType> Kv = Common.CacheType();
    private static readonly Option<string> Device = Common.Device();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    private const int TokensTogether = 1024;

    public static Command Create()
    {
        var verb = new Command("eval",
            "Loss, perplexity and bits per byte of a text: every token but the first is predicted once. Other "
            + "measures have verbs of their own.\n\nExample:\n  nano eval --model runs/shakespeare-char --data "
            + "my.txt --stride 32")
        {
            Model, TokenizerPath, Exact, Data, Seq, Stride, Batch, Kv, Device, Threads, Json,
            EvalChoicesVerb.Create(), EvalHellaSwagVerb.Create(), EvalGenerateVerb.Create(), EvalScoreVerb.Create(),
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        using var compute = Common.NewCompute(args.GetValue(Threads));
        using var device = Common.OpenDevice(args.GetValue(Device)!, args.GetValue(Threads));
        var (model, tokenizer) = Common.OpenModel(args.GetValue(Model)!, args.GetValue(TokenizerPath),
            toRun: device is null,
            args.GetValue(Exact));
        using var disposeModel = model;
        using var onDevice = device is null ? null : new OnnxLosses(model, device);
        var cacheType = args.GetValue(Kv);
        if (onDevice is not null && cacheType != WeightType.F32)
            throw Common.DeviceCache();
        using var cached = cacheType == WeightType.F32 ? null : new CachedLosses(model, compute, cacheType);
        ITokenLosses losses = (ITokenLosses?)onDevice ?? (ITokenLosses?)cached ?? new ModelLosses(model, compute);
        var (ids, bytes) = TextIds.Read(args.GetValue(Data)!, tokenizer);
        int time = args.GetValue(Seq) ?? model.Config.ContextLength, stride = args.GetValue(Stride) ?? time;
        int context = model.Config.ContextLength;
        if (time < 1 || time > context)
            throw new NanoException($"--seq must be from 1 to {context}, the model's context, got {time}");
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"text     {ids.Length:N0} tokens, windows of {time} that begin every {stride}"));
        long start = Stopwatch.GetTimestamp();
        var result = Evaluate.OnText(losses, ids, bytes, time, stride, args.GetValue(Batch)
            ?? Math.Max(1, TokensTogether / Math.Max(1, time)), EvalOutput.Progress(human, ids.Length - 1, "tokens"));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"loss     {result.Loss:F4} nats per token, perplexity {result.Perplexity:F3}, {result.BitsPerByte:F4} "
            + $"bits per byte"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"done     {result.Tokens:N0} tokens in {seconds:F1} s ({result.Tokens / seconds:N0} tokens/s)"));
        if (json)
            Common.PrintJson(new()
            {
                ["tokens"] = result.Tokens,
                ["loss"] = Common.Finite(result.Loss),
                ["perplexity"] = Common.Finite(result.Perplexity),
                ["bits_per_byte"] = Common.Finite(result.BitsPerByte)
            });
        return 0;
    }
}
