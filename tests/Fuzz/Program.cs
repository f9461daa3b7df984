using System.Diagnostics;
using System.Globalization;
using Nano.Fuzz;

// Fuzz [COUNT] [FIRST]: COUNT mutations of model and tokenizer files (default: a million), from number FIRST
// on. Prints failures, and exits 1 if there are any.
int count = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 1_000_000,
    first = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 0;
string folder = Directory.CreateTempSubdirectory("nano-fuzz-").FullName;
try
{
    var corpus = FuzzCorpus.All(folder);
    long start = Stopwatch.GetTimestamp();
    FuzzResult result = FileFuzzer.Run(corpus, first, count, folder,
        done => Console.Error
            .WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{done:N0} mutations, {Stopwatch.GetElapsedTime(start).TotalSeconds:N0} s")));
    foreach (string failure in result.Failures)
        Console.WriteLine(failure);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{corpus.Count} files, {result.Read + result.Refused + result.Failures.Count:N0} mutations: "
        + $"{result.Read:N0} read, {result.Refused:N0} refused, {result.Failures.Count} failures; largest "
        + $"allocation beyond size {result.LargestAllocation:N0} bytes; "
        + $"{Stopwatch.GetElapsedTime(start).TotalSeconds:N0} s"));
    return result.Failures.Count == 0 ? 0 : 1;
}
finally
{
    Directory.Delete(folder, recursive: true);
}
