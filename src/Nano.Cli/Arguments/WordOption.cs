using System.CommandLine;

namespace Nano.Cli;

/// <summary>An option that takes one of a few words, which its help shows.</summary>
internal interface IWordOption
{
    /// <summary>The words that are accepted, as they are written.</summary>
    IReadOnlyList<string> Words { get; }
}

/// <summary>An option that takes one of a few words.</summary>
internal sealed class WordOption<T> : Option<T?>, IWordOption
{
    /// <param name="name">The option, with its dashes.</param>
    /// <param name="description">The text of its help.</param>
    /// <param name="words">Words and their values.</param>
    public WordOption(string name, string description, params (string Word, T Value)[] words) : base(name)
    {
        Description = description;
        Words = [.. words.Select(word => word.Word)];
        CustomParser = result =>
        {
            string given = result.Tokens[0].Value;
            foreach (var (word, value) in words)
                if (word == given)
                    return value;
            result.AddError($"{name} takes {Setting.Listed(Words)}, not {Quoted.Of(given)}");
            return default;
        };
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Words { get; }
}
