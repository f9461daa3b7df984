using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>datetime.strftime in the C locale.</summary>
internal static class PythonTime
{
    /// <exception cref="JinjaError">A directive that is not supported.</exception>
    public static string Format(DateTime time, string format)
    {
        var result = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                result.Append(format[i]);
                continue;
            }
            char directive = ++i < format.Length ? format[i] : '%';
            string? pattern = directive switch
            {
                'd' => "dd",
                'b' or 'h' => "MMM",
                'B' => "MMMM",
                'm' => "MM",
                'y' => "yy",
                'Y' => "yyyy",
                'a' => "ddd",
                'A' => "dddd",
                'H' => "HH",
                'I' => "hh",
                'M' => "mm",
                'S' => "ss",
                'p' => "tt",
                'F' => "yyyy-MM-dd",
                'T' => "HH:mm:ss",
                'R' => "HH:mm",
                _ => null,
            };
            result.Append(pattern is not null ? time.ToString(pattern, CultureInfo.InvariantCulture) : directive switch
            {
                '%' => "%",
                'e' => $"{time.Day,2}",
                'j' => $"{time.DayOfYear:D3}",
                'f' => $"{time.Ticks % TimeSpan.TicksPerSecond / 10:D6}",
                _ => throw new JinjaError($"the time format %{directive} is not supported"),
            });
        }
        return result.ToString();
    }
}
