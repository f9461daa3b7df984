using System.CommandLine;

namespace Nano.Cli;

/// <summary>nano template: chat templates by themselves; render is its one verb.</summary>
internal static class TemplateVerb
{
    private static readonly Option<string?> Template =
        new("--template")
        {
            Description = "A Jinja file, or a built-in template: "
            + string.Join(", ", ChatTemplate.BuiltInNames)
        };
    private static readonly Option<string?> Model =
        new("--model")
        {
            Description =
            "A model folder, a GGUF file, a run or OWNER/MODEL: source of the template, special tokens and tokenizer"
        };
    private static readonly Option<string> Variables = new("--variables")
    {
        Description = "A JSON file whose object holds the template's variables: messages, tools, "
            + "add_generation_prompt and others that it uses",
        Required = true,
    };

    private static readonly Option<DateTime?> Now =
        Common.Parsed("--now",
            "The time that the template sees, such as 2026-11-30 or 2026-11-30T12:34:56 (default: the present)",
            ParseTime);
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var render = new Command("render",
            "Render a chat template, and with a model also print the token ids. Variables of the file override "
            + "those of the model.\n\n"
            + "Example:\n  nano template render --model HuggingFaceTB/SmolLM2-135M-Instruct --variables "
            + "conversation.json")
        {
            Template, Model, Variables, Now, Json,
        };
        render.SetAction(Render);
        return new Command("template",
            "Inspect chat templates.\n\nExample:\n  nano template render --template chatml --variables "
            + "conversation.json") { render };
    }

    private static int Render(ParseResult args)
    {
        string? path = args.GetValue(Template), model = args.GetValue(Model);
        if (path is null == model is null)
            throw new NanoException("name either a template with --template or a model with --model",
                "--model takes the template that the model brings");
        var variables = ChatVariables.Read(args.GetValue(Variables)!);
        ITokenizer? tokenizer = null;
        ChatTemplate template;
        if (model is null)
            template = ChatTemplateLoader.Open(path!);
        else
        {
            model = HubModels.FindLocal(model) ?? model;
            using (var source = ModelLoader.Open(model))
                tokenizer = source.TokenizerPath is { } file ? TokenizerLoader.Load(file) : null;
            var format = ChatTemplateLoader.Load(model, null, tokenizer);
            template = format.Template;
            foreach (var (name, text) in format.SpecialTokens)
                if (!variables.Has(name))
                    variables.Set(name, text);
        }
        string rendered = template.Render(variables, args.GetValue(Now) ?? DateTime.Now);
        int[]? ids = tokenizer?.Encode(rendered, allowSpecial: true);
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        human.Write(rendered);
        if (ids is not null)
            human.Write($"{(rendered.EndsWith('\n') ? "" : "\n")}ids      "
                + $"{string.Join(' ', ids.Select(id => Marked(id, tokenizer!)))}\n");
        if (json)
            Common.PrintJson(new() { ["text"] = rendered, ["ids"] = ids });
        return 0;
    }

    /// <summary>An id; a special token's with its text.</summary>
    private static string Marked(int id, ITokenizer tokenizer) =>
        tokenizer.SpecialTokens.FirstOrDefault(token => token.Value == id).Key is { } text ? $"{id}:{text}" : $"{id}";

    private static DateTime ParseTime(string text) =>
        DateTime.TryParseExact(text, ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss",
            "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF"],
            System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.None, out var time)
            ? time
            : throw new FormatException(
                $"a time is written like 2026-11-30 or 2026-11-30T12:34:56, not {Quoted.Of(text)}");
}
