using System.Numerics;
using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>A problem met while rendering; the renderer adds its place.</summary>
internal sealed class JinjaError(string problem) : Exception(problem);

/// <summary>The work and the text that one rendering may make, so that a hostile template ends soon.</summary>
internal sealed class JinjaBudget
{
    public const int MaxSteps = 5_000_000, MaxRange = 100_000, MaxMacroDepth = 50;
    public const long MaxCharacters = 16 << 20;

    /// <summary>The largest integer, in bits.</summary>
    private const long MaxBits = 1 << 16;

    private long steps, characters;

    /// <summary>Counts work: an evaluated node, an element read or made.</summary>
    public void Step(long count = 1)
    {
        if (count > MaxSteps || (steps += count) > MaxSteps)
            throw new JinjaError($"rendering takes more than {MaxSteps:N0} steps");
    }

    /// <summary>Counts characters that are about to be made.</summary>
    public void Make(long count)
    {
        if (count > MaxCharacters || (characters += count) > MaxCharacters)
            throw new JinjaError($"rendering makes more than {MaxCharacters:N0} characters of text");
    }

    /// <summary>Counts the work of reading every character of a text, 32 to a step.</summary>
    public void Read(string text) => Step(text.Length >> 5);

    /// <summary>Counts the work of an operation on integers, and refuses a result of more bits than allowed.</summary>
    public void Integer(long bits)
    {
        if (bits > MaxBits)
            throw new JinjaError($"an integer of {bits:N0} bits is more than the {MaxBits:N0} allowed");
        long words = Math.Max(0, bits) >> 6;
        Step(words * words >> 4);
    }

    /// <summary>Counts the work of an operation whose result is no larger than both operands together.</summary>
    public void Integer(BigInteger a, BigInteger b) => Integer(a.GetBitLength() + b.GetBitLength());

    /// <summary>Refuses to recurse further when the stack is nearly used up.</summary>
    public static void EnsureStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new JinjaError("the template or a value is nested too deeply");
    }
}
