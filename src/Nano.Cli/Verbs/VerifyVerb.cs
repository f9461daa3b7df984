using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano verify: compare a model, or single ops, with golden values.</summary>
internal static class VerifyVerb
{
    private static readonly Argument<string[]> Folders = new("folder")
    {
        Description = "Folders of golden values, recognised by their index.json: ops, formats of quantised weights, "
            + "quantised models",
        Arity = ArgumentArity.ZeroOrMore,
        HelpName = "FOLDER",
    };
    private static readonly Option<string?> Model =
        new("--model") { Description = "Folder of a model that has golden values" };
    private static readonly Option<string?> Golden =
        new("--golden") { Description = "The golden file (default: golden.safetensors in the model's folder)" };
    private static readonly Option<string?> Ops =
        new("--ops") { Description = "Folder of op cases: index.json and ops.safetensors" };
    private static readonly Option<bool> Losses =
        new("--losses") { Description = "Show the loss of every model in a FOLDER of quantised models instead" };
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("verify",
            "Check activations, losses, gradients, AdamW steps and greedy text against golden values, and quantised "
            + "weights and models.\n\nExample:\n  nano verify --model tests/goldens/gpt2_tiny --ops tests/goldens/ops"
            + "\n  nano verify tests/goldens/quant tests/goldens/quant_models")
        {
            Folders, Model, Golden, Ops, Losses, Threads, Json,
        };
        verb.Validators.Add(given =>
        {
            if (given.GetValue(Model) is null && given.GetValue(Ops) is null
                && given.GetValue(Folders) is not { Length: > 0 })
                given.AddError("nothing to verify: give FOLDER, --model FOLDER or --ops FOLDER");
            if (given.GetValue(Losses) && (given.GetValue(Folders) is not { Length: 1 }
                || given.GetValue(Model) is not null || given.GetValue(Ops) is not null))
                given.AddError("--losses goes with one FOLDER of quantised models");
        });
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        var (model, ops) = (args.GetValue(Model), args.GetValue(Ops));
        using var compute = Common.NewCompute(args.GetValue(Threads));
        var human = Common.Human(args.GetValue(Json));
        if (args.GetValue(Losses))
            return ShowLosses(human, QuantLosses.Of(args.GetValue(Folders)![0], compute, CorpusStore.DefaultFolder),
                args.GetValue(Json));
        var rows = new List<VerificationRow>();
        var checks = new List<GoldenCheck>();
        if (model is not null)
            rows.AddRange(ModelVerifier.Run(model,
                args.GetValue(Golden) ?? Path.Combine(model, "golden.safetensors"), compute));
        if (ops is not null)
            rows.AddRange(OpVerifier.Run(ops, compute));
        foreach (string folder in args.GetValue(Folders) ?? [])
        {
            var (ofFolder, checksOfFolder) = GoldenFolder.Run(folder, compute, CorpusStore.DefaultFolder);
            rows.AddRange(ofFolder);
            checks.AddRange(checksOfFolder);
        }
        Print(human, rows);
        Print(human, checks);
        int failed = rows.Count(row => !row.Pass) + checks.Count(check => !check.Pass),
            skipped = checks.Count(check => check.Skipped is not null);
        human.WriteLine($"{rows.Count + checks.Count} tensors, {failed} failed"
            + (skipped > 0 ? $", {skipped} skipped" : ""));
        if (args.GetValue(Json))
            Common.PrintJson(new()
            {
                ["tensors"] = rows.Count + checks.Count,
                ["failed"] = failed,
                ["worst"] = Worst(rows, checks),
                ["pass"] = failed == 0
            });
        return failed == 0 ? 0 : Failure.Wrong;
    }

    /// <summary>Losses as a table of Markdown, and as JSON.</summary>
    private static int ShowLosses(TextWriter human, IReadOnlyList<QuantLoss> losses, bool json)
    {
        human.WriteLine("| model | type | bits per weight | exact | activations in 8 bits | llama.cpp | float32 |\n"
            + "|---|---|---:|---:|---:|---:|---:|");
        foreach (var loss in losses)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {Quoted.Plain(loss.Model)} | "
                + $"{Quoted.Plain(loss.Type)} | {loss.BitsPerWeight:F2} | {loss.Exact:F4} | {loss.Integer:F4} | "
                + $"{loss.LlamaCpp:F4} | {loss.Source:F4} |"));
        if (json)
            Common.PrintJson(new()
            {
                ["losses"] = losses.Select(loss => new JsonFields
                {
                    ["model"] = loss.Model,
                    ["type"] = loss.Type,
                    ["bits_per_weight"] = loss.BitsPerWeight,
                    ["exact"] = Common.Finite(loss.Exact),
                    ["integer"] = Common.Finite(loss.Integer),
                    ["llamacpp"] = loss.LlamaCpp,
                    ["source"] = loss.Source,
                }),
            });
        return 0;
    }

    private static void Print(TextWriter human, List<VerificationRow> rows)
    {
        if (rows.Count == 0)
            return;
        human.WriteLine($"{"tensor",-64} {"error",10} {"largest",10} {"PyTorch",10}");
        foreach (var row in rows)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{row.Name,-64} {row.Error,10:0.00e+00} {row.Scale,10:0.00e+00} {row.ReferenceError,10:0.00e+00} "
                + $"{(row.Pass ? "pass" : "FAIL")}"));
    }

    private static void Print(TextWriter human, List<GoldenCheck> checks)
    {
        if (checks.Count == 0)
            return;
        human.WriteLine($"{"of",-20} {"checked",-54} {"numbers",8} {"error",10} {"allowed",10}");
        foreach (var check in checks)
            human.WriteLine($"{Quoted.Plain(check.Of),-20} {Quoted.Plain(check.Name),-54} {Result(check)}");
    }

    private static string Result(GoldenCheck check) => check.Skipped is { } reason ? "skipped: " + Quoted.Line(reason)
        : string.Create(CultureInfo.InvariantCulture,
            $"{check.Items,8} {check.Error,10:G3} {check.Allowed,10:G3} {(check.Pass ? "pass" : "FAIL")}")
            + (check.Note is { } note ? ", " + Quoted.Line(note) : "");

    /// <summary>The tensor or check that uses the most of the error that it is allowed.</summary>
    private static JsonFields? Worst(List<VerificationRow> rows, List<GoldenCheck> checks)
    {
        double ShareOf(VerificationRow row) =>
            row.Error / Math.Max(1e-30, (10 * row.ReferenceError) + (1e-6 * row.Scale));
        var row = rows.MaxBy(ShareOf);
        var check = checks.MaxBy(check => check.Share);
        return check is not null && (row is null || check.Share > ShareOf(row))
            ? new JsonFields
            {
                ["name"] = $"{check.Of}: {check.Name}",
                ["error"] = Common.Finite(check.Error),
                ["scale"] = check.Allowed,
            }
            : row is null ? null : new JsonFields
            {
                ["name"] = row.Name,
                ["error"] = Common.Finite(row.Error),
                ["scale"] = row.Scale,
            };
    }
}
