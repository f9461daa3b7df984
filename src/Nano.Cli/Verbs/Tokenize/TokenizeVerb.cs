using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nano.Cli;

/// <summary>nano tokenize: text to ids and back, line by line.</summary>
internal static class TokenizeVerb
{
    private static readonly Option<string> Tokenizer = new("--tokenizer")
    {
        Description = $"{string.Join(", ", TokenizerLoader.Names)}; a tokenizer file (tokenizer.json, "
            + "tokenizer.model, tokenizer.bin, vocab.bpe, *.tiktoken, *.gguf); or the folder of a model or run",
        Required = true,
    };

    private static readonly Option<bool> Decode = new("--decode") { Description = "Convert ids to text" };
    private static readonly Option<bool> AllowSpecial =
        new("--allow-special") { Description = "Encode the text of a special token, such as <|endoftext|>, as its id" };
    private static readonly Option<bool> Json =
        new("--json")
        {
            Description =
            "stdin: one JSON string (or array of ids) per line; stdout: one JSON array (or string) per line"
        };

    public static Command Create()
    {
        var verb = new Command("tokenize",
            "Convert text on stdin to token ids, or ids to text, line by line.\n\nExample:\n  echo \"to be\" | nano "
            + "tokenize --tokenizer gpt2")
        {
            Tokenizer, Decode, AllowSpecial, Json, TokenizeTrainVerb.Create(), TokenizeBenchVerb.Create(),
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        var tokenizer = TokenizerLoader.Load(args.GetValue(Tokenizer)!);
        bool decode = args.GetValue(Decode), special = args.GetValue(AllowSpecial), json = args.GetValue(Json);
        int number = 0;
        using var input = new StreamReader(Screen.OpenInput(),
            new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
        var lines = new InputLines(input);
        while (true)
        {
            number++;
            try
            {
                if (lines.Read() is not { } line)
                    return 0;
                Screen.Out.WriteLine(decode ? Text(tokenizer, line, json) : Ids(tokenizer, line, special, json));
            }
            catch (Exception e) when (Screen.Lost is null && e is JsonException or InvalidOperationException
                or NanoException or FormatException or OverflowException or DecoderFallbackException)
            {
                string problem = e is DecoderFallbackException
                    ? "this line, or one soon after it, is not valid UTF-8" : e.Message;
                throw new NanoException($"line {number} of stdin: {problem}", (e as NanoException)?.Hint, e);
            }
        }
    }

    private static string Ids(ITokenizer tokenizer, string line, bool special, bool json)
    {
        string text = json ? JsonSerializer.Deserialize(line, TokenizeJson.Default.String)
            ?? throw new FormatException("null is not a text") : line;
        var ids = tokenizer.Encode(text, special);
        return json ? JsonSerializer.Serialize(ids, TokenizeJson.Default.Int32Array) : string.Join(' ', ids);
    }

    private static string Text(ITokenizer tokenizer, string line, bool json)
    {
        int[] ids = json ? JsonSerializer.Deserialize(line, TokenizeJson.Default.Int32Array)
            ?? throw new FormatException("null is not an array of ids")
            : Array.ConvertAll(line.Split(' ', StringSplitOptions.RemoveEmptyEntries),
                word => int.Parse(word, CultureInfo.InvariantCulture));
        string text = tokenizer.Decode(ids);
        return json ? JsonSerializer.Serialize(text, TokenizeJson.Default.String) : text;
    }
}

/// <summary>The types of the lines of nano tokenize --json.</summary>
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(int[]))]
internal sealed partial class TokenizeJson : JsonSerializerContext;
