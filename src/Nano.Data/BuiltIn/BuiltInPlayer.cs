namespace Nano;

/// <summary>Somebody in a play.</summary>
/// <param name="Label">The speech prefix.</param>
/// <param name="Called">The name that others use for them.</param>
/// <param name="Lord">The title they are addressed by.</param>
/// <param name="Woman">Whether she is a she.</param>
internal sealed record BuiltInPlayer(string Label, string Called, string Lord, bool Woman)
{
    /// <summary>Everybody with a name.</summary>
    public static readonly BuiltInPlayer[] Nobles = [.. Named(BuiltInWords.Men, "KING ", "DUKE ", "lord", false),
        .. Named(BuiltInWords.Women, "QUEEN ", "LADY ", "dame", true)];

    /// <summary>Everybody else.</summary>
    public static readonly BuiltInPlayer[] Commoners =
        [.. BuiltInWords.Commoners
            .Select(label => new BuiltInPlayer(label, label.Split(' ')[^1].ToLowerInvariant(), "friend", false))];

    private static IEnumerable<BuiltInPlayer> Named(string[] names, string first, string second, string lord,
        bool women) =>
        names.Select((name, i) => new BuiltInPlayer((i < 3 ? first : i < 6 ? second : "") + name.ToUpperInvariant(),
            name, i < 3 ? "liege" : lord, women));
}
