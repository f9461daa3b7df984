using System.CommandLine;

namespace Nano.Cli;

/// <summary>nano quantize: a model with weights of fewer bits.</summary>
internal static class QuantizeVerb
{
    private static readonly Argument<string> Input =
        new("in") { Description = "Model: a folder of a model or run, .safetensors, .gguf, or .bin" };
    private static readonly Argument<string> Output =
        new("out") { Description = "GGUF file to write; with --method also a new folder" };
    private static readonly Option<string> Type = Types();
    private static readonly Option<string[]> Tensors = new("--tensor")
    {
        Description = "Another type for a tensor, by its name in GGUF files, e.g. blk.0.attn_q.weight=Q8_0 (any number "
            + "of times)",
        HelpName = "NAME=TYPE",
    };
    private static readonly Option<string?> Imatrix = new("--imatrix")
    {
        Description = "Importance matrix of the model, from 'nano imatrix' or llama.cpp: errors are made where inputs "
            + "are small",
        HelpName = "FILE",
    };
    private static readonly Option<bool> Requantize =
        new("--requantize") { Description = "Accept a model that is quantised already, at a loss" };
    private static readonly Option<bool> Overwrite = new("--overwrite") { Description = "Replace OUT if it is a file" };
    private static readonly Option<bool> Json = Common.Json();

    /// <summary>Files of plain numbers are made by nano convert.</summary>
    private static IEnumerable<GgufFileType> Quantised => Enum.GetValues<GgufFileType>()
        .Except([GgufFileType.F32, GgufFileType.F16, GgufFileType.BF16]);

    private static Option<string> Types()
    {
        var option = new Option<string>("--type")
        {
            Description = "Type of most matrices",
            DefaultValueFactory = _ => $"{GgufFileType.Q4_K_M}",
        };
        option.AcceptOnlyFromAmong([.. Quantised.Select(type => $"{type}")]);
        return option;
    }

    public static Command Create()
    {
        var verb = new Command("quantize",
            "Write a model with weights of fewer bits: a GGUF file with the types and bytes of llama.cpp, or by a "
            + "method that looks at what weights read.\n\nExample:\n  nano quantize runs/shakespeare-char small.gguf "
            + "--type Q8_0")
        {
            Input, Output, Type, Tensors, Imatrix, Requantize, Overwrite, Json,
        };
        foreach (Option option in MethodArguments.All)
            verb.Options.Add(option);
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        if (MethodArguments.AreGiven(args))
            return RunMethod(args);
        var options = new ConversionOptions
        {
            Format = ModelFormat.Gguf,
            Overwrite = args.GetValue(Overwrite),
            Quantisation = new QuantisationOptions
            {
                FileType = Enum.Parse<GgufFileType>(args.GetValue(Type)!),
                Importance = args.GetValue(Imatrix) is { } matrix ? ImportanceFile.Read(matrix) : null,
                Types = Chosen(args.GetValue(Tensors) ?? []),
                Requantises = args.GetValue(Requantize),
            },
        };
        return ConvertVerb.Write(args.GetValue(Input)!, args.GetValue(Output)!, options, args.GetValue(Json));
    }

    private static int RunMethod(ParseResult args)
    {
        foreach (Option option in (Option[])[Tensors, Imatrix])
            if (args.GetResult(option) is { Implicit: false })
                throw new NanoException($"{option.Name} does not go with --method", "leave one of them out");
        string input = args.GetValue(Input)!, output = args.GetValue(Output)!;
        bool hasType = args.GetResult(Type) is { Implicit: false };
        var common = new CalibrationOptions
        {
            Method = default,
            FileType = hasType ? Enum.Parse<GgufFileType>(args.GetValue(Type)!) : null,
            Requantises = args.GetValue(Requantize),
            Overwrite = args.GetValue(Overwrite),
        };
        return ConvertVerb.Write(input, output, args.GetValue(Json), (human, stop) =>
            MethodArguments.Quantise(args, input, output, common, human, stop));
    }

    /// <summary>The types of single tensors.</summary>
    private static Dictionary<string, WeightType> Chosen(string[] choices)
    {
        var types = new Dictionary<string, WeightType>();
        foreach (string choice in choices)
        {
            int equals = choice.LastIndexOf('=');
            if (equals <= 0)
                throw new NanoException($"--tensor {Quoted.Of(choice)} is no NAME=TYPE",
                    "e.g. --tensor blk.0.attn_q.weight=Q8_0");
            types[choice[..equals]] = Parse(choice[(equals + 1)..]);
        }
        return types;
    }

    private static WeightType Parse(string name)
    {
        var allowed = Enum.GetValues<WeightType>().Except([WeightType.F8_E4M3, WeightType.F8_E5M2, WeightType.Int4,
            WeightType.Int8]);
        foreach (var type in allowed)
            if ($"{type}".Equals(name, StringComparison.OrdinalIgnoreCase))
                return type;
        throw new NanoException($"--tensor: there is no type {Quoted.Of(name)}",
            $"types: {string.Join(", ", allowed)}");
    }
}
