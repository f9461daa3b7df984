namespace Nano.Fuzz;

/// <summary>What a run found.</summary>
/// <param name="Read">Mutations that were still valid.</param>
/// <param name="Refused">Mutations that were refused as they should be.</param>
/// <param name="Failures">The others: the file, the round, and what happened.</param>
/// <param name="LargestAllocation">The most bytes that reading one file allocated, beyond what its
/// size accounts for.</param>
sealed record FuzzResult(long Read, long Refused, IReadOnlyList<string> Failures, long LargestAllocation);

/// <summary>
/// Mutates valid files and reads them: each is read or refused by <see cref="BadFileException"/>,
/// and memory stays within a multiple of the file's size plus a constant. A function of its seed.
/// </summary>
static class FileFuzzer
{
    /// <summary>What is allowed: this many bytes of managed memory for a byte of the file, and a constant.</summary>
    const int BytesPerByte = 256, ConstantBytes = 4 << 20;

    const int MostFailures = 20;

    /// <summary>Runs.</summary>
    /// <param name="corpus">Valid files; each must be read without complaint.</param>
    /// <param name="first">The number of the first mutation; the same number is the same mutation in every run.</param>
    /// <param name="count">How many.</param>
    /// <param name="folder">A folder for the files.</param>
    /// <param name="progress">Told now and then how many are done.</param>
    public static FuzzResult Run(IReadOnlyList<FuzzSeed> corpus, int first, int count, string folder,
        Action<int>? progress = null)
    {
        foreach (FuzzSeed seed in corpus)
            File.WriteAllBytes(PathOf(seed, folder), seed.Bytes);
        foreach (FuzzSeed seed in corpus)
            seed.Read(PathOf(seed, folder));
        long read = 0, refused = 0, largest = 0;
        var failures = new List<string>();
        for (int number = first; number < first + count && failures.Count < MostFailures; number++)
        {
            var mutator = new Mutator(number);
            FuzzSeed seed = corpus[mutator.Next(corpus.Count)], other = corpus[mutator.Next(corpus.Count)];
            byte[] mutated = mutator.Mutate(seed.Bytes, other.Bytes);
            string path = PathOf(seed, folder);
            File.WriteAllBytes(path, mutated);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                seed.Read(path);
                read++;
            }
            catch (BadFileException)
            {
                refused++;
            }
            catch (Exception e)
            {
                failures.Add($"mutation {number} of {seed.Set}/{seed.Name}: {e}");
            }
            long beyond = GC.GetAllocatedBytesForCurrentThread() - before - ((long)BytesPerByte * mutated.Length);
            largest = Math.Max(largest, beyond);
            if (beyond > ConstantBytes)
                failures.Add($"mutation {number} of {seed.Set}/{seed.Name}: {beyond} bytes allocated beyond "
                    + $"{BytesPerByte} for each of its {mutated.Length}");
            File.WriteAllBytes(path, seed.Bytes);
            if ((number - first) % 10_000 == 9_999)
                progress?.Invoke(number - first + 1);
        }
        return new FuzzResult(read, refused, failures, largest);
    }

    static string PathOf(FuzzSeed seed, string folder) =>
        Path.Combine(Directory.CreateDirectory(Path.Combine(folder, seed.Set)).FullName, seed.Name);
}
