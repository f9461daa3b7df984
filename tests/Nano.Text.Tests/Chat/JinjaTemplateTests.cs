using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Nano.Tests;

/// <summary>
/// The template engine against jinja2 3.1 set up as transformers does
/// (tests/goldens/chat/make_chat_goldens.py).
/// </summary>
public class JinjaTemplateTests
{
    static readonly DateTime Now = new(2025, 2, 3, 16, 5, 6);

    static string? Render(string template, JsonElement variables)
    {
        try
        {
            return new ChatTemplate(template, "test").Render(ChatVariables.FromJson(variables), Now);
        }
        catch (ChatTemplateException)
        {
            return null;
        }
    }

    static JsonDocument Golden(string name) => JsonDocument.Parse(File.ReadAllBytes(Goldens.Path("chat/" + name)));

    [Fact]
    public void Every_construct_prints_what_jinja2_prints_and_fails_where_it_fails()
    {
        using var cases = Golden("constructs.json");
        Assert.True(cases.RootElement.GetArrayLength() > 150);
        Assert.All(cases.RootElement.EnumerateArray(), item =>
        {
            string template = item.GetProperty("template").GetString()!;
            Assert.Equal((template, item.GetProperty("expected").GetString()),
                (template, Render(template, item.GetProperty("variables"))));
        });
    }

    public static TheoryData<string> Published()
    {
        using var golden = Golden("published.json");
        return new TheoryData<string>(golden.RootElement.EnumerateArray()
            .Select(template => template.GetProperty("name").GetString()!));
    }

    /// <summary>
    /// The templates themselves are their publishers' and not in this repository; the folder is
    /// $NANO_DATA/chat.
    /// </summary>
    [Theory]
    [MemberData(nameof(Published))]
    public void A_published_template_prints_what_jinja2_makes_of_it(string name)
    {
        string path = Path.Combine(Environment.GetEnvironmentVariable("NANO_DATA") ?? "", "chat", name + ".jinja");
        Assert.SkipUnless(File.Exists(path), "$NANO_DATA/chat has no such template");
        using var golden = Golden("published.json");
        var expected = golden.RootElement.EnumerateArray()
            .Single(template => template.GetProperty("name").GetString() == name);
        byte[] text = File.ReadAllBytes(path);
        Assert.Equal(expected.GetProperty("sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(text)));
        foreach (var (conversation, variables) in Conversations())
            Assert.Equal((conversation, expected.GetProperty("renderings").GetProperty(conversation).GetString()),
                (conversation, Render(Encoding.UTF8.GetString(text), variables)));
    }

    /// <summary>
    /// The built-in templates are written anew; they print what those of the publishers print, for
    /// every conversation of plain messages.
    /// </summary>
    [Theory]
    [InlineData("chatml", "chatml")]
    [InlineData("llama-2", "llama-2")]
    [InlineData("llama-3", "llama-3")]
    [InlineData("mistral", "mistral-v0.3")]
    public void A_built_in_template_prints_what_the_published_one_prints(string builtIn, string published)
    {
        using var golden = Golden("published.json");
        var expected = golden.RootElement.EnumerateArray()
            .Single(template => template.GetProperty("name").GetString() == published);
        int compared = 0;
        foreach (var (conversation, variables) in Conversations())
        {
            if (conversation.StartsWith("tool", StringComparison.Ordinal) || conversation == "nothing")
                continue;
            var messages = variables.GetProperty("messages").EnumerateArray()
                .Select(message => new ChatMessage(message.GetProperty("role").GetString()!,
                    message.GetProperty("content").GetString()!));
            string? actual = null;
            try
            {
                actual = ChatTemplate.BuiltIn(builtIn)
                    .Render(messages, variables.GetProperty("add_generation_prompt").GetBoolean(), Tokens, Now);
            }
            catch (ChatTemplateException)
            {
                // Refused, as jinja2 must have.
            }
            Assert.Equal((conversation, expected.GetProperty("renderings").GetProperty(conversation).GetString()),
                (conversation, actual));
            compared++;
        }
        Assert.Equal(14, compared);
    }

    /// <summary>The prompts of tatsu-lab/stanford_alpaca's train.py, with later turns laid out alike.</summary>
    [Fact]
    public void Alpaca_is_laid_out_as_it_was_trained()
    {
        var alpaca = ChatTemplate.BuiltIn("alpaca");
        Assert.Equal("""
            Below is an instruction that describes a task. Write a response that appropriately completes the request.

            ### Instruction:
            Name a colour.

            ### Response:

            """, alpaca.Render([new("user", "Name a colour.")], true, Tokens, Now));
        Assert.Equal("Be kind.\n\n### Instruction:\nHello\n\n### Response:\nHi\n\n",
            alpaca.Render([new("system", "Be kind."), new("user", "Hello"), new("assistant", "Hi")], false,
                Tokens, Now));
    }

    static readonly Dictionary<string, string> Tokens = new() { ["bos_token"] = "<s>", ["eos_token"] = "</s>" };

    /// <summary>The conversations with everything transformers adds to them.</summary>
    static IEnumerable<(string Name, JsonElement Variables)> Conversations()
    {
        using var golden = Golden("conversations.json");
        foreach (var conversation in golden.RootElement.EnumerateObject())
        {
            var variables = JsonNode.Parse(
                """{ "tools": null, "documents": null, "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>" }""")!.AsObject();
            foreach (var variable in conversation.Value.EnumerateObject())
                variables[variable.Name] = JsonNode.Parse(variable.Value.GetRawText());
            yield return (conversation.Name, JsonSerializer.SerializeToElement(variables));
        }
    }
}
