using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano pull: a model from the hub.</summary>
internal static class PullVerb
{
    private static readonly Argument<string> Name = new("name") { Description = "OWNER/MODEL or OWNER/MODEL@REVISION" };
    private static readonly Option<string[]> Files =
        new("--file") { Description = "Path of a single file to fetch; may be given more than once" };
    private static readonly Option<string?> Endpoint =
        new("--endpoint") { Description = "Address of the hub (default: HF_ENDPOINT, or the public hub)" };
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("pull",
            "Copy a model from the Hugging Face hub into $NANO_DATA/models (default: data/models), checking "
            + "digests. A repeated pull continues where the last one stopped. HF_TOKEN gives access to gated "
            + "models.\n\nExample:\n  nano pull HuggingFaceTB/SmolLM2-135M-Instruct")
        {
            Name, Files, Endpoint, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        var name = HubModelName.Parse(args.GetValue(Name)!);
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        using var hub = HubModels.Open(args.GetValue(Endpoint));
        using var stop = new GentleStop(null, Signals.All);
        PulledModel model;
        try
        {
            model = new ModelPull(hub, CorpusStore.DefaultFolder)
                .PullAsync(name, args.GetValue(Files) ?? [], new DownloadLine(human), stop.Token).GetAwaiter()
                .GetResult();
        }
        catch (OperationCanceledException) when (stop.IsAsked)
        {
            human.WriteLine("stopped; the same command continues from here");
            return stop.ExitCode;
        }
        foreach (var file in model.Files)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{Path.Combine(model.Folder, file.Name)}: {file.Bytes:N0} bytes, {file.DigestName} as the "
                + $"hub states"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name} (commit {model.Commit[..12]}) is in {model.Folder}; {model.FetchedBytes:N0} bytes were fetched"));
        if (json)
            Common.PrintJson(new()
            {
                ["name"] = name.Id,
                ["commit"] = model.Commit,
                ["folder"] = model.Folder,
                ["files"] = model.Files.Select(file => new JsonFields
                {
                    ["name"] = file.Name,
                    ["bytes"] = file.Bytes,
                    ["digest"] = file.Digest,
                }),
                ["fetched_bytes"] = model.FetchedBytes
            });
        return 0;
    }
}
