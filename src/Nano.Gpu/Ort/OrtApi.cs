using System.Runtime.InteropServices;
using System.Text;

namespace Nano;

/// <summary>
/// ONNX Runtime's C API (onnxruntime_c_api.h): a table of functions whose places never change once released. Only what Nano calls is here.
/// A call returns a status, null for success; getters of errors and releases return nothing of the kind.
/// </summary>
internal sealed unsafe class OrtApi
{
    // ORT_API_VERSION of 1.20: everything below is in it, and newer libraries give it too.
    private const uint Version = 20;

    private readonly void** table;

    private OrtApi(void** table, string path, string version)
    {
        this.table = table;
        (Path, LibraryVersion) = (path, version);
    }

    private static readonly Lazy<OrtApi> Loaded = new(Load);

    /// <summary>The API of the library found by <see cref="OrtLibrary"/>.</summary>
    /// <exception cref="NanoException">There is none.</exception>
    public static OrtApi Default => Loaded.Value;

    /// <summary>Where the library was found.</summary>
    public string Path { get; }

    /// <summary>Its own version, such as 1.30.0.</summary>
    public string LibraryVersion { get; }

    private static OrtApi Load()
    {
        var (library, path) = OrtLibrary.Load();
        if (!NativeLibrary.TryGetExport(library, "OrtGetApiBase", out nint entry))
            throw new NanoException($"'{path}' is not ONNX Runtime: it has no OrtGetApiBase");
        var getters = ((delegate* unmanaged<void**>)entry)(); // GetApi, GetVersionString
        string version = Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<byte*>)getters[1])()) ?? "?";
        var table = ((delegate* unmanaged<uint, void**>)getters[0])(Version);
        return table is not null ? new OrtApi(table, path, version)
            : throw new NanoException($"ONNX Runtime {version} at '{path}' is too old: its C API has no version {Version}", "1.20 and newer will do");
    }

    public nint CreateEnv()
    {
        nint env;
        fixed (byte* name = "nano\0"u8)
            Check(((delegate* unmanaged<int, byte*, nint*, nint>)table[3])(4, name, &env)); // 4: only what is fatal is logged; errors come back
        return env;
    }

    public nint CreateSessionOptions() => Make(10);

    public void SetIntraOpThreads(nint options, int threads) => Check(((delegate* unmanaged<nint, int, nint>)table[24])(options, threads));

    public void AddSessionConfigEntry(nint options, string key, string value)
    {
        fixed (byte* k = Utf8(key), v = Utf8(value))
            Check(((delegate* unmanaged<nint, byte*, byte*, nint>)table[130])(options, k, v));
    }

    /// <summary>Has a session say everything that it does to a function: its parameter, severity, category, id, place, message.</summary>
    public void LogTo(nint options, delegate* unmanaged[Cdecl]<nint, int, byte*, byte*, byte*, byte*, void> line, nint parameter)
    {
        Check(((delegate* unmanaged<nint, int, nint>)table[22])(options, 0)); // 0: verbose
        Check(((delegate* unmanaged<nint, void*, nint, nint>)table[266])(options, line, parameter));
    }

    /// <summary>Providers other than CUDA, by the name the library gives them.</summary>
    public void AppendProvider(nint options, string name)
    {
        fixed (byte* text = Utf8(name))
            Check(((delegate* unmanaged<nint, byte*, byte**, byte**, nuint, nint>)table[216])(options, text, null, null, 0));
    }

    /// <summary>CUDA, computing in float32 (not TF32).</summary>
    public void AppendCuda(nint options)
    {
        nint cuda = Make(205);
        try
        {
            fixed (byte* key = "use_tf32\0"u8, value = "0\0"u8)
            {
                byte* k = key, v = value;
                Check(((delegate* unmanaged<nint, byte**, byte**, nuint, nint>)table[206])(cuda, &k, &v, 1));
            }
            Check(((delegate* unmanaged<nint, nint, nint>)table[204])(options, cuda));
        }
        finally
        {
            Release(208, cuda);
        }
    }

    private nint CreateSession(nint env, ReadOnlySpan<byte> model, nint options)
    {
        nint session;
        fixed (byte* bytes = model)
            Check(((delegate* unmanaged<nint, void*, nuint, nint, nint*, nint>)table[8])(env, bytes, (nuint)model.Length, options, &session));
        return session;
    }

    /// <summary>A session of a model in memory, or in a file if there is a path.</summary>
    public nint CreateSession(nint env, ReadOnlySpan<byte> model, string? path, nint options) => path is null ? CreateSession(env, model, options) : CreateSession(env, path, options);

    /// <summary>A session of a file, which may have external data beside it.</summary>
    private nint CreateSession(nint env, string path, nint options)
    {
        nint session;
        fixed (byte* name = OperatingSystem.IsWindows() ? Encoding.Unicode.GetBytes(path + '\0') : Utf8(path))
            Check(((delegate* unmanaged<nint, byte*, nint, nint*, nint>)table[7])(env, name, options, &session));
        return session;
    }

    /// <summary>The names of a session's inputs, or of its outputs.</summary>
    public string[] Names(nint session, bool outputs)
    {
        nuint count;
        Check(((delegate* unmanaged<nint, nuint*, nint>)table[outputs ? 31 : 30])(session, &count));
        nint allocator = Make(78); // not ours to release
        var names = new string[(int)count];
        for (int i = 0; i < names.Length; i++)
        {
            nint text;
            Check(((delegate* unmanaged<nint, nuint, nint, nint*, nint>)table[outputs ? 37 : 36])(session, (nuint)i, allocator, &text));
            names[i] = Marshal.PtrToStringUTF8(text)!;
            Check(((delegate* unmanaged<nint, nint, nint>)table[76])(allocator, text));
        }
        return names;
    }

    /// <summary>The providers that were compiled in, whether they work here or not.</summary>
    public string[] AvailableProviders()
    {
        byte** list;
        int count;
        Check(((delegate* unmanaged<byte***, int*, nint>)table[125])(&list, &count));
        var names = new string[count];
        for (int i = 0; i < count; i++)
            names[i] = Marshal.PtrToStringUTF8((nint)list[i])!;
        Check(((delegate* unmanaged<byte**, int, nint>)table[126])(list, count));
        return names;
    }

    public nint CreateCpuMemoryInfo()
    {
        nint info;
        Check(((delegate* unmanaged<int, int, nint*, nint>)table[69])(0, 0, &info));
        return info;
    }

    /// <summary>Memory of the first device that goes by a name.</summary>
    public nint CreateMemoryInfo(string name)
    {
        nint info;
        fixed (byte* text = Utf8(name))
            Check(((delegate* unmanaged<byte*, int, int, int, nint*, nint>)table[68])(text, 0, 0, 0, &info)); // a device's own allocator, device 0, its default memory
        return info;
    }

    public nint CreateAllocator(nint session, nint memoryInfo)
    {
        nint allocator;
        Check(((delegate* unmanaged<nint, nint, nint*, nint>)table[131])(session, memoryInfo, &allocator));
        return allocator;
    }

    /// <summary>A tensor in memory of the library.</summary>
    public nint CreateTensor(nint allocator, ReadOnlySpan<long> shape, int type)
    {
        nint value;
        fixed (long* dims = shape)
            Check(((delegate* unmanaged<nint, long*, nuint, int, nint*, nint>)table[48])(allocator, dims, (nuint)shape.Length, type, &value));
        return value;
    }

    /// <summary>A tensor in memory that is ours and must outlive it.</summary>
    public nint CreateTensor(nint memoryInfo, void* data, nuint bytes, ReadOnlySpan<long> shape, int type)
    {
        nint value;
        fixed (long* dims = shape)
            Check(((delegate* unmanaged<nint, void*, nuint, long*, nuint, int, nint*, nint>)table[49])(memoryInfo, data, bytes, dims, (nuint)shape.Length, type, &value));
        return value;
    }

    public nint CreateBinding(nint session)
    {
        nint binding;
        Check(((delegate* unmanaged<nint, nint*, nint>)table[134])(session, &binding));
        return binding;
    }

    public void BindInput(nint binding, string name, nint value) => Bind(136, binding, name, value);

    public void BindOutput(nint binding, string name, nint value) => Bind(137, binding, name, value);

    public void Run(nint session, nint binding)
    {
        Check(((delegate* unmanaged<nint, nint, nint, nint>)table[133])(session, 0, binding));
        Check(((delegate* unmanaged<nint, nint>)table[203])(binding)); // those on the host are there when this returns
    }

    public void ReleaseMemoryInfo(nint info) => Release(94, info);

    public void ReleaseAllocator(nint allocator) => Release(132, allocator);

    public void ReleaseSession(nint session) => Release(95, session);

    public void ReleaseValue(nint value) => Release(96, value);

    public void ReleaseSessionOptions(nint options) => Release(100, options);

    public void ReleaseBinding(nint binding) => Release(135, binding);

    private void Bind(int slot, nint binding, string name, nint value)
    {
        fixed (byte* text = Utf8(name))
            Check(((delegate* unmanaged<nint, byte*, nint, nint>)table[slot])(binding, text, value));
    }

    private nint Make(int slot)
    {
        nint made;
        Check(((delegate* unmanaged<nint*, nint>)table[slot])(&made));
        return made;
    }

    private void Release(int slot, nint handle) => ((delegate* unmanaged<nint, void>)table[slot])(handle);

    private void Check(nint status)
    {
        if (status == 0)
            return;
        string message = Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<nint, byte*>)table[2])(status)) ?? "?";
        Release(93, status);
        throw new OrtException(message);
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text + '\0');
}
