using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano data: list, fetch and check corpora and vocabularies.</summary>
internal static class DataVerb
{
    private static readonly Argument<string?> Name =
        new("name")
        {
            Description = "Corpus or vocabulary to fetch (default: list all)",
            Arity = ArgumentArity.ZeroOrOne
        };
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("data",
            "Fetch a corpus or vocabulary into $NANO_DATA (default: data/) and check its digest.\n\nExample:\n  "
            + "nano data shakespeare") { Name, Json, DataPrepareVerb.Create() };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        using var store = new CorpusStore();
        if (args.GetValue(Name) is not { } name)
        {
            foreach (var source in store.Sources)
            {
                human.WriteLine($"{source.Name,-16} {source.Description} ({source.Licence})");
                foreach (var file in source.Files)
                    human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"{"",-16} {file.Name}, {file.Bytes:N0} "
                        + $"bytes{(File.Exists(Path.Combine(store.Folder, file.Name)) ? ", here" : "")}"));
            }
            if (json)
                Common.PrintJson(new()
                {
                    ["folder"] = store.Folder,
                    ["sources"] = store.Sources.Select(source => new JsonFields
                    {
                        ["name"] = source.Name,
                        ["description"] = source.Description,
                        ["files"] = source.Files.Select(file => file.Name)
                    })
                });
            return 0;
        }
        var paths = store.FetchAsync(name, new DownloadLine(human), CancellationToken.None).GetAwaiter().GetResult();
        foreach (string path in paths)
            human.WriteLine($"{path}: digest as expected");
        if (json)
            Common.PrintJson(new() { ["name"] = name, ["paths"] = paths });
        return 0;
    }
}
