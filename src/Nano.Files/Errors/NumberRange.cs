namespace Nano;

/// <summary>The numbers that a setting accepts, in words and as a test.</summary>
public sealed class NumberRange
{
    private readonly Func<double, bool> contains;

    private NumberRange(string text, Func<double, bool> contains) => (Text, this.contains) = (text, contains);

    /// <summary>Whole numbers from 1.</summary>
    public static NumberRange AtLeastOne { get; } = new("at least 1", value => value >= 1);

    /// <summary>Finite numbers from 0.</summary>
    public static NumberRange NotNegative { get; } = new("0 or more", value => value >= 0 && double.IsFinite(value));

    /// <summary>Finite numbers above 0.</summary>
    public static NumberRange Positive { get; } =
        new("a positive number", value => value > 0 && double.IsFinite(value));

    /// <summary>Numbers above 0, infinity included.</summary>
    public static NumberRange PositiveOrInfinite { get; } = new("a positive number", value => value > 0);

    /// <summary>Numbers from 0 to below 1.</summary>
    public static NumberRange BelowOne { get; } = new("from 0 to below 1", value => value is >= 0 and < 1);

    /// <summary>The range in words, as they follow "must be".</summary>
    public string Text { get; }

    /// <summary>True if a number lies in the range; NaN lies in none.</summary>
    public bool Contains(double value) => contains(value);

    /// <summary>Refuses a number outside of the range.</summary>
    /// <param name="setting">The key of the setting, which the message names.</param>
    /// <param name="value">The number that it was given.</param>
    /// <param name="hint">Advice for the error, or null.</param>
    /// <exception cref="NanoException">The number is outside of the range.</exception>
    public void Check(string setting, double value, string? hint = null)
    {
        if (!Contains(value))
            throw new NanoException(FormattableString.Invariant($"`{setting}` must be {Text}, got {value}"), hint);
    }
}
