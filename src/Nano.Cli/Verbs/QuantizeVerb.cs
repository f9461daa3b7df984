using System.CommandLine;

namespace Nano.Cli;

/// <summary>nano quantize: a model with weights of fewer bits.</summary>
internal static class QuantizeVerb
{
    private static readonly Argument<string> Input =
        new("in") { Description = "Model: a folder of a model or run, .safetensors, .gguf, or .bin" };
    private static readonly Argument<string> Output =
        new("out") { Description = "GGUF file to write; with --method also a new folder, with --all a folder" };
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
    private static readonly Option<bool> All = new("--all")
    {
        Description = "Write a set of files of many types, and a report of what each costs: size, loss, speed",
    };
    private static readonly Option<string?> SetTypes = new("--types")
    {
        Description = "With --all: types of the files, e.g. Q8_0,Q4_K_M (default: all but MXFP4, TQ1_0 and TQ2_0)",
    };
    private static readonly Option<int> Limit = new("--limit")
    {
        Description = "With --all: tokens of the text to use, from its beginning",
        DefaultValueFactory = _ => 8192,
    };
    private static readonly Option<bool> Overwrite =
        new("--overwrite") { Description = "Replace OUT if it is a file, or a folder of such a set" };
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
            + "method that looks at what weights read.\n\nExample:\n  nano quantize runs/mine small.gguf --type Q8_0\n"
            + "  nano quantize runs/mine small --all --data my.txt")
        {
            Input, Output, Type, Tensors, Imatrix, Requantize, All, SetTypes, Limit, Overwrite, Json,
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
        RefuseUseless(args);
        var quantisation = new QuantisationOptions
        {
            FileType = Enum.Parse<GgufFileType>(args.GetValue(Type)!),
            Importance = args.GetValue(Imatrix) is { } matrix ? ImportanceFile.Read(matrix) : null,
            Types = Chosen(args.GetValue(Tensors) ?? []),
            Requantises = args.GetValue(Requantize),
        };
        return args.GetValue(All) ? MakeSet(args, quantisation)
            : ConvertVerb.Write(args.GetValue(Input)!, args.GetValue(Output)!, new ConversionOptions
            {
                Format = ModelFormat.Gguf,
                Overwrite = args.GetValue(Overwrite),
                Quantisation = quantisation,
            }, args.GetValue(Json));
    }

    /// <summary>Refuses options that the others make useless.</summary>
    private static void RefuseUseless(ParseResult args)
    {
        bool all = args.GetValue(All);
        if (args.GetValue(Limit) < 2)
            throw new NanoException($"--limit must be 2 or more, got {args.GetValue(Limit)}");
        foreach (Option option in (Option[])[SetTypes, Limit, .. MethodArguments.Shared])
            if (!all && args.GetResult(option) is { Implicit: false })
                throw new NanoException(MethodArguments.Shared.Contains(option)
                    ? $"{option.Name} goes with --all or --method" : $"{option.Name} goes with --all");
        if (all && args.GetResult(Type) is { Implicit: false })
            throw new NanoException("--type is that of a single file", "with --all, name types with --types");
    }

    private static int MakeSet(ParseResult args, QuantisationOptions quantisation)
    {
        string input = args.GetValue(Input)!, folder = args.GetValue(Output)!;
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        string? data = args.GetValue(MethodArguments.Data);
        if (data is null)
            human.WriteLine("note: without --data nothing is compared with the original");
        var options = new QuantisationSetOptions
        {
            Types = args.GetValue(SetTypes) is { } names ? [.. names.Split(',').Select(FileType)]
                : QuantisationSet.AllTypes,
            Quantisation = quantisation,
            Text = data is null ? (ReadOnlyMemory<int>?)null : TextOf(args, input, data),
            TextName = data,
            Overwrite = args.GetValue(Overwrite),
        };
        using var compute = Common.NewCompute(args.GetValue(MethodArguments.Threads));
        using var stop = new GentleStop(null, Signals.All);
        QuantisationSet made;
        try
        {
            made = QuantisationSet.Make(input, folder, options, compute, new SetLine(human, stop.Token));
        }
        catch (OperationCanceledException)
        {
            human.WriteLine("stopped; nothing was written");
            return stop.ExitCode;
        }
        QuantisationTable.Print(human, made);
        human.WriteLine($"report: {Path.Combine(folder, QuantisationSet.ReportName)}");
        if (json)
            Common.PrintJson(QuantisationTable.Json(made, folder));
        return 0;
    }

    private static GgufFileType FileType(string name) =>
        Quantised.FirstOrDefault(type => $"{type}".Equals(name.Trim(), StringComparison.OrdinalIgnoreCase)) is var found
            and not GgufFileType.F32 ? found : throw new NanoException($"--types: there is no type {Quoted.Of(name)}",
            $"types: {string.Join(", ", Quantised)}");

    /// <summary>The first tokens of a text.</summary>
    private static ReadOnlyMemory<int> TextOf(ParseResult args, string input, string data)
    {
        using var source = ModelLoader.Open(input);
        var tokenizer = Common.TokenizerOf(source, input, args.GetValue(MethodArguments.TokenizerPath));
        int[] ids = TextIds.Read(data, tokenizer).Ids;
        return ids.AsMemory(0, Math.Min(ids.Length, args.GetValue(Limit)));
    }

    /// <summary>Prints what is being done, and ends it when that is asked for.</summary>
    private sealed class SetLine(TextWriter human, CancellationToken stop) : IProgress<QuantisationSetProgress>
    {
        private QuantisationSetProgress last;

        public void Report(QuantisationSetProgress value)
        {
            stop.ThrowIfCancellationRequested();
            if (value == last)
                return;
            last = value;
            human.WriteLine($"{value.Done + 1} of {value.Total}: {value.Type}, {value.Work}");
        }
    }

    private static int RunMethod(ParseResult args)
    {
        foreach (Option option in (Option[])[Tensors, Imatrix, All, SetTypes, Limit])
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
