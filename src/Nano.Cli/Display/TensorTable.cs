using System.Globalization;

namespace Nano.Cli;

/// <summary>The tensors of a file: a summary of their types, a list, and both as JSON.</summary>
internal static class TensorTable
{
    /// <summary>A line for each type, and one for all.</summary>
    public static void PrintTypes(TextWriter human, IReadOnlyList<StoredTensor> tensors)
    {
        var types = StoredTensors.ByType(tensors);
        human.WriteLine($"{"type",-12} {"tensors",8} {"weights",16} {"bytes",16} {"bits per weight",16}");
        foreach (var type in types)
            Line(type);
        if (types.Count > 1)
            Line(new StoredType("all", tensors.Count, tensors.Sum(tensor => tensor.Count),
                types.Any(type => type.Bytes is null) ? null : types.Sum(type => type.Bytes)));

        void Line(StoredType type) => human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{type.Type,-12} {type.Tensors,8:N0} {type.Count,16:N0} {Bytes(type.Bytes),16} "
            + $"{(type.BitsPerWeight is { } bits ? bits.ToString("F3", CultureInfo.InvariantCulture) : "?"),16}"));
    }

    /// <summary>A line for each tensor, in the order of the file.</summary>
    public static void PrintTensors(TextWriter human, IReadOnlyList<StoredTensor> tensors)
    {
        int width = Math.Max(6, tensors.Select(tensor => Quoted.Plain(tensor.Name).Length).DefaultIfEmpty().Max());
        human.WriteLine($"{"tensor".PadRight(width)} {"type",-10} {"shape",-22} {"bytes",14}");
        foreach (var tensor in tensors)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{Quoted.Plain(tensor.Name).PadRight(width)} {tensor.Type,-10} "
                + $"{$"[{string.Join(", ", tensor.Shape)}]",-22} {Bytes(tensor.Bytes),14}"));
    }

    /// <summary>The types as JSON.</summary>
    public static IEnumerable<JsonFields> JsonTypes(IReadOnlyList<StoredTensor> tensors) =>
        StoredTensors.ByType(tensors).Select(type => new JsonFields
        {
            ["type"] = type.Type,
            ["tensors"] = type.Tensors,
            ["weights"] = type.Count,
            ["bytes"] = type.Bytes,
            ["bits_per_weight"] = type.BitsPerWeight,
        });

    /// <summary>The tensors as JSON.</summary>
    public static IEnumerable<JsonFields> JsonTensors(IReadOnlyList<StoredTensor> tensors) =>
        tensors.Select(tensor => new JsonFields
        {
            ["name"] = tensor.Name,
            ["type"] = tensor.Type,
            ["shape"] = tensor.Shape,
            ["bytes"] = tensor.Bytes,
        });

    private static string Bytes(long? bytes) => bytes?.ToString("N0", CultureInfo.InvariantCulture) ?? "?";
}
