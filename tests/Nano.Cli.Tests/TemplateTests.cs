using System.Text.Json;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano template render.</summary>
public sealed class TemplateTests : IDisposable
{
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    [Theory]
    [InlineData("call-block")]
    [InlineData("date-without-zero")]
    [InlineData("safe-plus-text")]
    public void A_case_is_printed_as_it_is_and_as_JSON(string name)
    {
        string folder = Goldens.Path("../cases/chat-templates/" + name), variables = temp.File("variables.json");
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expect.json")));
        string text = expected.RootElement.GetProperty("text").GetString()!;
        File.WriteAllText(variables, expected.RootElement.GetProperty("variables").GetRawText());
        string[] render = ["template", "render", "--template", Path.Combine(folder, "template.jinja"), "--variables",
            variables, "--now", expected.RootElement.GetProperty("now").GetString()!];
        Assert.Equal(text.EndsWith('\n') ? text : text + "\n", Cli.Run(render).Succeeds().Out); // the test reads lines
        var json = Cli.Run([.. render, "--json"]).Succeeds();
        Assert.Equal(["text", "ids"], json.JsonKeys);
        Assert.Equal((text, JsonValueKind.Null), (json.Json.GetProperty("text").GetString(), json.Json
            .GetProperty("ids").ValueKind));
    }

    [Fact]
    public void A_model_gives_its_template_its_special_tokens_and_ids()
    {
        string model = temp.File("model"), variables = temp.File("variables.json");
        Tiny.CopyFolder(Goldens.Path("../cases/models/more-rows-than-tokens"), model);
        File.WriteAllText(Path.Combine(model, "chat_template.jinja"),
            "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}{{ tools | tojson }}");
        File.WriteAllText(Path.Combine(model, "tokenizer_config.json"),
            """{ "bos_token": "the", "eos_token": "he" }""");
        File.WriteAllText(variables, """{ "messages": [{ "role": "user", "content": "hello" }], "tools": [] }""");
        var result = Cli.Run("template", "render", "--model", model, "--variables", variables, "--json").Succeeds();
        Assert.Equal("thehello[]", result.Json.GetProperty("text").GetString());
        Assert.Equal(TokenizerLoader.Load(model).Encode("thehello[]", allowSpecial: true),
            result.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
        Assert.Contains("\nids      ", result.Error, StringComparison.Ordinal);
        // A variable of the file wins over that of the model.
        File.WriteAllText(variables, """{ "messages": [], "tools": null, "bos_token": "<s>" }""");
        Assert.Equal("<s>null", Cli.Run("template", "render", "--model", model, "--variables", variables, "--json")
            .Succeeds().Json.GetProperty("text").GetString());
    }

    [Fact]
    public void What_cannot_be_rendered_is_an_error_with_its_place()
    {
        string variables = temp.File("variables.json"), list = temp.File("list.json"),
            template = temp.File("bad.jinja");
        File.WriteAllText(variables, """{ "messages": [] }""");
        File.WriteAllText(list, "[1]");
        File.WriteAllText(template, "a\n{{ raise_exception('no \u001b[31m turns') }}");
        Cli.Run("template", "render", "--template", template, "--variables", variables)
            .Fails(1, "bad.jinja", "line 2", "no \\u{1B}[31m turns");
        Cli.Run("template", "render", "--template", "chatml", "--variables", list)
            .Fails(1, "list.json", "expected a JSON object");
        Cli.Run("template", "render", "--template", "chatml", "--variables", temp.File("none.json"))
            .Fails(1, "none.json");
        Cli.Run("template", "render", "--template", "chatlm", "--variables", variables)
            .Fails(1, "chatlm", "did you mean 'chatml'?");
        Cli.Run("template", "render", "--variables", variables)
            .Fails(1, "either a template with --template or a model with --model");
        Cli.Run("template", "render", "--template", "chatml", "--model", temp.Root, "--variables", variables)
            .Fails(1, "either a template");
        Cli.Run("template", "render", "--template", "chatml").Fails(2, "--variables");
        Cli.Run("template", "render", "--template", "chatml", "--variables", variables, "--now", "noon")
            .Fails(2, "2026-11-30", "noon");
    }
}
