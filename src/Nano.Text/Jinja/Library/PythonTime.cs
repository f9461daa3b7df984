using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>datetime.strftime in the C locale of glibc, with its flags - _ 0 ^ # and a width.</summary>
internal static class PythonTime
{
    private const int MaxWidth = 1000;

    /// <summary>A time, which has no zone, in a format.</summary>
    public static string Format(DateTime time, string format, JinjaBudget budget)
    {
        var result = new StringBuilder();
        for (int at = 0; at < format.Length; at++)
        {
            if (format[at] != '%')
            {
                result.Append(format[at]);
                continue;
            }
            int start = at++;
            char flag = default;
            bool upper = false, swap = false;
            for (; at < format.Length && format[at] is '-' or '_' or '0' or '^' or '#'; at++)
                if (format[at] is '^')
                    upper = true;
                else if (format[at] is '#')
                    swap = true;
                else
                    flag = format[at];
            int width = 0;
            for (; at < format.Length && char.IsAsciiDigit(format[at]); at++)
                width = Math.Min((width * 10) + format[at] - '0', MaxWidth + 1);
            if (width > MaxWidth)
                throw new JinjaError($"a width of a time is more than {MaxWidth}");
            if (at < format.Length && format[at] is 'E' or 'O')
                at++;
            string? text = at < format.Length ? Directive(time, format[at], flag, width, budget) : null;
            if (text is not null && (upper || swap))
                text = swap && format[at] == 'p' ? text.ToLowerInvariant() : text.ToUpperInvariant();
            result.Append(text ?? format[start..Math.Min(at + 1, format.Length)]);
            budget.Make(text?.Length ?? 0);
        }
        return result.ToString();
    }

    /// <summary>The text of a directive; null if there is none of that letter.</summary>
    private static string? Directive(DateTime time, char letter, char flag, int width, JinjaBudget budget)
    {
        string? number = letter switch
        {
            'd' => Number(time.Day, 2, '0'),
            'e' => Number(time.Day, 2, ' '),
            'm' => Number(time.Month, 2, '0'),
            'y' => Number(time.Year % 100, 2, '0'),
            'Y' => Number(time.Year, 1, '0'),
            'C' => Number(time.Year / 100, 2, '0'),
            'H' => Number(time.Hour, 2, '0'),
            'k' => Number(time.Hour, 2, ' '),
            'I' => Number(Twelve(time), 2, '0'),
            'l' => Number(Twelve(time), 2, ' '),
            'M' => Number(time.Minute, 2, '0'),
            'S' => Number(time.Second, 2, '0'),
            'j' => Number(time.DayOfYear, 3, '0'),
            'u' => Number(time.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.DayOfWeek, 1, '0'),
            'w' => Number((int)time.DayOfWeek, 1, '0'),
            'U' => Number((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7, 2, '0'),
            'W' => Number((time.DayOfYear + 6 - (((int)time.DayOfWeek + 6) % 7)) / 7, 2, '0'),
            'V' => Number(ISOWeek.GetWeekOfYear(time), 2, '0'),
            'G' => Number(ISOWeek.GetYear(time), 1, '0'),
            'g' => Number(ISOWeek.GetYear(time) % 100, 2, '0'),
            's' => Number((long)(time - DateTime.UnixEpoch).TotalSeconds, 1, '0'),
            _ => null,
        };
        string? text = number ?? letter switch
        {
            'f' => (time.Ticks % TimeSpan.TicksPerSecond / 10).ToString("D6", CultureInfo.InvariantCulture),
            'b' or 'h' => time.ToString("MMM", CultureInfo.InvariantCulture),
            'B' => time.ToString("MMMM", CultureInfo.InvariantCulture),
            'a' => time.ToString("ddd", CultureInfo.InvariantCulture),
            'A' => time.ToString("dddd", CultureInfo.InvariantCulture),
            'p' => time.Hour < 12 ? "AM" : "PM",
            'P' => time.Hour < 12 ? "am" : "pm",
            'D' or 'x' => Format(time, "%m/%d/%y", budget),
            'F' => Format(time, "%Y-%m-%d", budget),
            'T' or 'X' => Format(time, "%H:%M:%S", budget),
            'R' => Format(time, "%H:%M", budget),
            'r' => Format(time, "%I:%M:%S %p", budget),
            'c' => Format(time, "%a %b %e %H:%M:%S %Y", budget),
            'n' => "\n",
            't' => "\t",
            '%' => "%",
            'z' or 'Z' or ':' => "", // a time without a zone
            _ => null,
        };
        return text is null || number is not null ? text : text.PadLeft(width, flag == '0' ? '0' : ' ');

        string Number(long value, int least, char pad)
        {
            string digits = value.ToString(CultureInfo.InvariantCulture);
            if (flag == '-')
                return digits;
            pad = flag switch { '_' => ' ', '0' => '0', _ => pad };
            return digits.PadLeft(Math.Max(least, width), pad);
        }
    }

    private static int Twelve(DateTime time) => time.Hour % 12 == 0 ? 12 : time.Hour % 12;
}
