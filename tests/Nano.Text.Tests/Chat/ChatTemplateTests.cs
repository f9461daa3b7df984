using System.Text;
using System.Text.Json;

namespace Nano.Tests;

/// <summary>What templates cannot do, and what hostile ones must not.</summary>
public class ChatTemplateTests
{
    static readonly DateTime Now = new(2025, 2, 3);

    static string Render(string template, params ChatMessage[] messages) =>
        new ChatTemplate(template, "test").Render(messages, true, new Dictionary<string, string>(), Now);

    [Theory]
    [InlineData("{% include 'x' %}", 1, 4, "include")]
    [InlineData("a\r\n\r\n{{ x | urlize }}", 3, 8, "urlize")]
    [InlineData("{{ x is filtered }}", 1, 9, "filtered")]
    [InlineData("{{ 10 ** 10000000000 }}", 1, 7, "")]
    [InlineData("{{ 'a'.nothing(3) }}", 1, 15, "nothing")]
    [InlineData("{{ loop.changed(1) }}", 1, 8, "'loop' is undefined")]
    [InlineData("x\n  {{ messages[0].content.foo.bar }}", 2, 29, "no element 'foo'")]
    [InlineData("{{ raise_exception('never\n2') }}", 1, 19, "refuses this conversation: 'never\\n2'")]
    [InlineData("{% if x %}\n{% for y in z %}", 2, 4, "this 'for' is not closed by 'else' or 'endfor'")]
    public void What_is_not_supported_is_named_with_its_place(string template, int line, int column, string words)
    {
        var e = Assert.Throws<ChatTemplateException>(() => Render(template, new ChatMessage("user", "Hello")));
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
        Assert.Contains($"chat template test, line {line}, column {column}: ", e.Message, StringComparison.Ordinal);
        Assert.Equal((line, column), (e.Line, e.Column));
        Assert.Contains("chatml", e.Hint, StringComparison.Ordinal);
    }

    public static TheoryData<string> Hostile => new(
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% set n = namespace(s='x') %}{% for i in range(100) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
        "{% set n = namespace(l=[1]) %}{% for i in range(100) %}{% set n.l = n.l + n.l %}{% endfor %}",
        "{% for i in range(100000) %}{{ 'x' * 100000 }}{% endfor %}",
        "{{ 'x' * 9000000000000000000 }}",
        "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}",
        "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
        "{{ range(100000) | join('x' * 100000) }}",
        "{{ ('x' * 100000).join('y' * 100000) }}",
        "{{ ('\n' * 1000000) | indent(1000) }}",
        "{{ range(9000000000000000000) }}",
        "{{ range(-9000000000000000000, 9000000000000000000) }}",
        "{% set s = 'a' * 60000000 %}{% for i in range(100000) %}{% if s == s ~ '' %}{% endif %}{% endfor %}",
        "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ s[1] }}{{ s | length }}{{ 'b' in s }}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(x) %}{{ x }}{{ m(m) }}{% endmacro %}{{ m(1) }}",
        "{% set n = namespace(l=[]) %}{% for i in range(100000) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l }}",
        "{% set n = namespace(l=[]) %}{% for i in range(100000) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l | tojson }}",
        "{% set n = namespace(l=[]) %}{% set o = namespace(l=[]) %}{% for i in range(100000) %}{% set n.l = [n.l] "
        + "%}{% set o.l = [o.l] %}{% endfor %}{{ n.l == o.l }}",
        "{% set n = namespace(l=['x' * 1000]) %}{% for i in range(40) %}{% set n.l = [n.l, n.l] %}{% endfor "
        + "%}{{ n.l }}",
        "{% set n = namespace(l=['x' * 1000]) %}{% for i in range(40) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ "
        + "n.l | tojson }}",
        "{% set n = namespace(l=[1], o=[1]) %}{% for i in range(40) %}{% set n.l = [n.l, n.l] %}{% set n.o = [n.o, "
        + "n.o] %}{% endfor %}{{ n.l == n.o }}",
        "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
        "{{ 10 ** (10 ** 10) }}",
        "{% set n = namespace(x=2) %}{% for i in range(1000) %}{% set n.x = n.x * n.x %}{% endfor %}",
        "{% set x = 10 ** 9000 %}{% for i in range(100000) %}{% set y = x * x // 7 % 3 %}{% endfor %}",
        "{% for i in range(100000) %}{% set x = '%.15000f' % 1e-300 %}{% endfor %}",
        "{{ '%1000000000d' % 1 }}", "{{ '%.1000000000f' % 1 }}", "{{ '%*d' % (1000000000, 1) }}",
        "{{ '{:1000000000}'.format(1) }}", "{{ '{:.1000000000f}'.format(1) }}", "{{ ('{' ~ '[' * 1000000).format(1) }}",
        "{{ ('{0' ~ '[0]' * 1000000 ~ '}').format([[]]) }}",
        "{{ 'a'.zfill(1000000000) }}", "{{ 'a' | center(1000000000) }}", "{{ ('\\t' * 1000).expandtabs(1000000) }}",
        "{{ [1] * 1000000000 }}", "{{ [1] | tojson(indent=1000000000) }}", "{{ 'a' | indent(1000000000) }}",
        "{{ strftime_now('%1000000000d') }}", "{{ [1] | batch(1000000000, 1) | list }}",
        "{{ [1] | slice(1000000000) | list }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% for x in [1, 1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
        "{% macro m() %}{% call m() %}{% endcall %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}",
        "{% set n = namespace(i=[1]) %}{% for i in range(100000) %}{% set n.i = n.i | map('default') %}"
            + "{% endfor %}{{ n.i | list }}",
        "{% set n = namespace(i=[1]) %}{% for i in range(100000) %}{% set n.i = n.i | select %}{% endfor %}"
            + "{% for x in n.i %}{% endfor %}",
        "{% set t = namespace(x=(1,), y=(1,)) %}{% for i in range(60) %}{% set t.x = (t.x, t.x) %}"
            + "{% set t.y = (t.y, t.y) %}"
            + "{% endfor %}{{ {t.x: 1}[t.y] }}",
        "{% set t = namespace(x=(1,)) %}{% for i in range(100000) %}{% set t.x = (t.x,) %}{% endfor %}{{ {t.x: 1} }}",
        "{% set t = namespace(x=[1]) %}{% for i in range(60) %}{% set t.x = [t.x, t.x] %}"
            + "{% endfor %}{{ t.x | pprint }}",
        "{% set d = {}.fromkeys(range(100000)) %}{% for i in range(100000) %}"
            + "{% set x = d == {}.fromkeys(range(100000)) %}"
            + "{% endfor %}",
        "{% set s = 'a' * 3000000 %}{% for i in range(100000) %}{% set x = {s: 1} %}{% endfor %}",
        "{% set s = 'a' * 3000000 %}{% for i in range(100000) %}{% set x = {'a': 1}[s] %}{% endfor %}",
        "{% set s = 'a,' * 3000000 %}{% for i in range(100000) %}{% set x = [{'a': 1}] | sort(attribute=s) %}"
            + "{% endfor %}",
        "{% for i in range(1000) %}{% set x = range(100000) | sort(reverse=true) %}{% endfor %}",
        "{{ " + new string('(', 100_000) + "1" + new string(')', 100_000) + " }}",
        "{{ " + new string('[', 100_000) + " }}",
        "{{ " + string.Concat(Enumerable.Repeat("not ", 100_000)) + "1 }}",
        "{{ " + new string('-', 100_000) + "1 }}",
        "{{ 1" + string.Concat(Enumerable.Repeat(" + 1", 100_000)) + " }}",
        "{{ x" + string.Concat(Enumerable.Repeat("[0]", 100_000)) + " }}",
        "{{ 1" + string.Concat(Enumerable.Repeat(" if 1 else 1", 50_000)) + " }}",
        "{{ 'x'" + string.Concat(Enumerable.Repeat("|trim", 100_000)) + " }}",
        string.Concat(Enumerable.Repeat("{% if 1 %}", 50_000)),
        string.Concat(Enumerable.Repeat("{% for a in [1] %}", 10_000))
            + string.Concat(Enumerable.Repeat("{% endfor %}", 10_000)),
        new string(' ', 2_000_000));

    /// <summary>Neither time nor memory without end, nor a stack overflow.</summary>
    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_hostile_template_ends_in_the_typed_error(string template) =>
        Assert.Throws<ChatTemplateException>(() => Render(template));

    public static TheoryData<string> TupleOfTuples => new(
        "{% set t = namespace(x=(1,)) %}{% for i in range(60) %}{% set t.x = (t.x, t.x) %}"
            + "{% endfor %}{{ {t.x: 1}[t.x] }}",
        "{{ dict(" + string.Join(',', Enumerable.Range(0, 40_000).Select(i => $"a{i}=1")) + ") | length }}",
        "{% macro m(" + string.Join(',', Enumerable.Range(0, 40_000).Select(i => $"a{i}"))
            + ") %}x{% endmacro %}{{ m(a7=1) }}");

    /// <summary>Values with shared parts, and many names, take time in proportion to what is written.</summary>
    [Theory]
    [MemberData(nameof(TupleOfTuples))]
    public void A_value_that_only_looks_large_is_no_trouble(string template) => Assert.NotEmpty(Render(template));

    /// <summary>A million characters and ten thousand turns are still a conversation.</summary>
    [Fact]
    public void A_long_conversation_stays_below_the_limits()
    {
        var turns = Enumerable.Range(0, 10_000)
            .Select(i => new ChatMessage(i % 2 == 0 ? "user" : "assistant", new string('x', 100))).ToArray();
        foreach (string name in ChatTemplate.BuiltInNames)
            Assert.True(ChatTemplate.BuiltIn(name)
                .Render(turns, true, new Dictionary<string, string> { ["bos_token"] = "<s>", ["eos_token"] = "</s>" },
                    Now).Length > 1_000_000);
    }

    [Fact]
    public void Any_mutation_of_a_template_renders_or_ends_in_the_typed_error()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path("chat/constructs.json")));
        using var differential = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path("chat/differential.json")));
        string[] templates = [.. golden.RootElement.EnumerateArray()
            .Concat(differential.RootElement.GetProperty("cases").EnumerateArray())
            .Select(item => item.GetProperty("template").GetString()!),
            .. ChatTemplate.BuiltInNames.Select(BuiltInText)];
        int rounds = int.TryParse(Environment.GetEnvironmentVariable("NANO_TEMPLATE_MUTATIONS"), out int given)
            ? given : 20_000;
        var random = new Random(7);
        int refused = 0;
        for (int i = 0; i < rounds; i++)
        {
            string mutated = Mutate(templates[random.Next(templates.Length)],
                templates[random.Next(templates.Length)], random);
            try
            {
                Render(mutated, new ChatMessage("user", "Hello"), new ChatMessage("assistant", "Hi"));
            }
            catch (ChatTemplateException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, rounds / 4, rounds * 19 / 20);
    }

    const string Characters = "{}%#|.()[]'\"\\ \n-+x1,=~";

    static string BuiltInText(string name) => BuiltInTemplates.All[name];

    static string Mutate(string text, string other, Random random)
    {
        var result = new StringBuilder(text);
        for (int change = random.Next(1, 4); change > 0 && result.Length > 0; change--)
        {
            int at = random.Next(result.Length), length = Math.Min(random.Next(1, 5), result.Length - at);
            switch (random.Next(4))
            {
                case 0:
                    result.Remove(at, length);
                    break;
                case 1:
                    result[at] = Characters[random.Next(Characters.Length)];
                    break;
                case 2:
                    result.Insert(at, result.ToString(at, length));
                    break;
                default:
                    int from = random.Next(other.Length + 1);
                    result.Insert(at, other.AsSpan(from, Math.Min(8, other.Length - from)));
                    break;
            }
        }
        return result.ToString();
    }

    [Fact]
    public void An_unknown_name_lists_the_known_ones()
    {
        var e = Assert.Throws<NanoException>(() => ChatTemplate.BuiltIn("chatmll"));
        Assert.Contains("'chatmll'", e.Message, StringComparison.Ordinal);
        Assert.Contains("chatml", e.Hint, StringComparison.Ordinal);
        Assert.Equal(["chatml", "llama-2", "llama-3", "mistral", "alpaca"], ChatTemplate.BuiltInNames);
    }
}
