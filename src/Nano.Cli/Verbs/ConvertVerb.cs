using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano convert: a model from one format to another.</summary>
internal static class ConvertVerb
{
    private static readonly Dictionary<string, (ModelFormat Format, int Version)> Formats = new()
    {
        ["safetensors"] = (ModelFormat.Safetensors, 0),
        ["gguf"] = (ModelFormat.Gguf, 0),
        ["llm.c"] = (ModelFormat.LlmC, 0),
        ["llama2.c"] = (ModelFormat.Llama2C, 0),
        ["llama2.c-v1"] = (ModelFormat.Llama2C, 1),
        ["llama2.c-int8"] = (ModelFormat.Llama2C, 2),
    };

    private static readonly Argument<string> Input =
        new("in")
        {
            Description =
            "Model to convert: a folder of a model or run, .safetensors, .gguf, or .bin of llm.c or llama2.c"
        };
    private static readonly Argument<string> Output =
        new("out") { Description = "Output: a new folder (safetensors), or a .gguf or .bin file" };
    private static readonly Option<string?> To = Choice("--to", "Output format (default: by the name of OUT)",
        [.. Formats.Keys]);
    private static readonly Option<string?> Type =
        Choice("--dtype", "Type of the weights (default: unchanged, if the format supports it)", "f32", "f16", "bf16");
    private static readonly Option<string?> ShardSize =
        new("--shard-size")
        {
            Description = "Largest size of a safetensors file, e.g. 5GB or 500MB; more files are written as needed"
        };
    private static readonly Option<bool> Overwrite = new("--overwrite") { Description = "Replace OUT if it is a file" };
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("convert",
            "Write a model in another format.\n\nExample:\n  nano convert runs/mine model.gguf --dtype f16")
        {
            Input, Output, To, Type, ShardSize, Overwrite, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static Option<string?> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string?>(name) { Description = description };
        option.AcceptOnlyFromAmong(values);
        return option;
    }

    private static int Run(ParseResult args)
    {
        (ModelFormat Format, int Version)? to = args.GetValue(To) is { } name ? Formats[name] : null;
        var options = new ConversionOptions
        {
            Format = to?.Format,
            Llama2cVersion = to?.Version ?? 0,
            Type = args.GetValue(Type) is { } type ? Enum.Parse<WeightType>(type, ignoreCase: true) : null,
            ShardBytes = args.GetValue(ShardSize) is { } size ? ByteCount.Parse(size) : 0,
            Overwrite = args.GetValue(Overwrite),
        };
        return Write(args.GetValue(Input)!, args.GetValue(Output)!, options, args.GetValue(Json));
    }

    /// <summary>Converts, with progress and a summary; returns the exit code.</summary>
    internal static int Write(string input, string output, ConversionOptions options, bool json) =>
        Write(input, output, json, (human, stop) =>
            ModelConverter.Convert(input, output, options, new ByteLines("convert", 100_000_000, human, stop)));

    /// <summary>Writes a model with a summary; returns the exit code.</summary>
    /// <param name="input">The model.</param>
    /// <param name="output">The file or folder.</param>
    /// <param name="json">True to end with a line of JSON.</param>
    /// <param name="make">Makes it; throws if the token asks for an end.</param>
    internal static int Write(string input, string output, bool json,
        Func<TextWriter, CancellationToken, Conversion> make)
    {
        var human = Common.Human(json);
        using var stop = new GentleStop(null, Signals.All);
        Conversion made;
        try
        {
            made = make(human, stop.Token);
        }
        catch (OperationCanceledException)
        {
            human.WriteLine("stopped; nothing was written");
            return stop.ExitCode;
        }
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{input} ({made.From}) -> {output} ({made.To}), {made.Bytes:N0} bytes"));
        if (made.BitsPerWeight is { } bits)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{bits:F2} bits per weight"));
        foreach (string note in made.Notes)
            human.WriteLine($"note: {note}");
        if (!json)
            return 0;
        var fields = new JsonFields
        {
            ["input"] = input,
            ["output"] = output,
            ["from"] = $"{made.From}",
            ["to"] = $"{made.To}",
            ["bytes"] = made.Bytes,
        };
        if (made.BitsPerWeight is not null)
            fields["bits_per_weight"] = made.BitsPerWeight;
        fields["notes"] = made.Notes;
        Common.PrintJson(fields);
        return 0;
    }
}
