using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano tokenize bench: how fast a tokenizer is.</summary>
internal static class TokenizeBenchVerb
{
    private static readonly Option<string> Tokenizer =
        new("--tokenizer") { Description = "A name, file or folder, as for nano tokenize", Required = true };
    private static readonly Option<bool> Json = Common.Json();
    private static readonly Argument<string> File = new("file") { Description = "A text file in UTF-8" };

    public static Command Create()
    {
        var verb = new Command("bench",
            "Measure encoding and decoding of a text on one thread, and of a million copies of one "
            + "character.\n\nExample:\n  nano tokenize bench --tokenizer gpt2 data/tinyshakespeare.txt")
        {
            Tokenizer, Json, File,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        string name = args.GetValue(Tokenizer)!;
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var speed = TokenizerBench.Measure(TokenizerLoader.Load(name), CorpusStore.LoadFile(args.GetValue(File)!).Text);
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name}: {speed.Bytes:N0} bytes, {speed.Tokens:N0} tokens; encodes {speed.EncodeMegabytesPerSecond:F1} "
            + $"MB/s, decodes {speed.DecodeMegabytesPerSecond:F1} MB/s, {speed.Allocated:N0} managed bytes per "
            + $"encoding"));
        human.WriteLine("1,000,000 times: "
            + string.Join(", ", speed.Runs
                .Select(run => string.Create(CultureInfo.InvariantCulture,
                    $"{(run.Character == " " ? "space" : run.Character)} {run.Seconds * 1000:F0} ms"))));
        if (json)
            Common.PrintJson(new()
            {
                ["tokenizer"] = name,
                ["bytes"] = speed.Bytes,
                ["tokens"] = speed.Tokens,
                ["encode_mb_per_s"] = speed.EncodeMegabytesPerSecond,
                ["decode_mb_per_s"] = speed.DecodeMegabytesPerSecond,
                ["allocated"] = speed.Allocated,
                ["runs"] = speed.Runs.Select(run => new JsonFields
                {
                    ["character"] = run.Character,
                    ["ms"] = run.Seconds * 1000,
                }),
            });
        return 0;
    }
}
